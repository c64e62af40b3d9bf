"""A plan becomes connected Lava processes.

A plan is a list of pieces in the parent's words (kind, what it hears, shapes in torch's order);
how Lava wants them (W, H, C tensors, true convolution, flipped kernels) is decided here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.lif.process import LIFReset
from lava.utils.weightutils import SignMode

from .models import conv, hold, lif, line, scale, sink, stream
from .models.window import Window
from .wire import Array

Shape = tuple[int, ...]
GRADED = 24  # num_message_bits: any number over 0 keeps Lava from turning messages into 0 and 1
NARROW = 127  # Lava's Conv keeps its geometry in 8 bits


@dataclass
class Built:
    """One Lava process. out: its port in torch's order, anew for each reader. inlet: the port to
    connect a source to, and how the source must be turned first."""

    process: Any
    out: Callable[[], Any] | None = None
    inlet: Any = None
    takes: Shape = ()
    turned: bool = False  # the inlet wants W, H, C
    model: Any = None  # of a process that is ours; Lava finds its own

    def hear(self, source: Any) -> None:
        """Connect a source port, which is in torch's order."""
        shape = (self.takes[0], 1, self.takes[1]) if self.one_axis else self.takes
        if tuple(source.shape) != shape:
            source = source.reshape(shape)
        (source.transpose((2, 1, 0)) if self.turned else source).connect(self.inlet)

    @property
    def one_axis(self) -> bool:
        """A convolution over one axis is one over two, the first of length 1."""
        return self.turned and len(self.takes) == 2


@dataclass(frozen=True)
class Net:
    """All processes of a plan, by name; one of them is the sink."""

    built: Mapping[str, Built]
    sink: AbstractProcess
    names: tuple[str, ...]  # what each port of the sink keeps

    @property
    def models(self) -> dict[Any, Any]:
        """Process -> model, of those that are not Lava's own: they need not be searched for."""
        return {b.process: b.model for b in self.built.values() if b.model is not None}

    @property
    def ours(self) -> list[str]:
        """Names of the process classes that Lava does not ship."""
        return sorted({type(process).__name__ for process in self.models})


class Builder:
    """Makes the processes of one plan."""

    def __init__(self, plan: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        self.fixed: bool = plan["fixed"]
        self.interval: int = plan["interval"]
        self.count: int = plan["count"]
        self.plan = plan
        self.arrays = arrays

    def net(self, folder: Path | None) -> Net:
        """Build and connect. folder: where the sink writes."""
        pieces = self.plan["pieces"]
        built = {piece["name"]: self.make(piece) for piece in pieces}
        for piece in pieces:
            for name in piece["hears"]:
                built[piece["name"]].hear(built[name].out())  # type: ignore[misc]
        kept = self.plan["kept"]
        built["sink"] = Built(self.sink(kept, folder), model=sink.model(len(kept)))
        for number, one in enumerate(kept):
            inlet = getattr(built["sink"].process, sink.port(number))
            ear = Built(None, inlet=inlet, takes=tuple(one["shape"]))
            for name in one["hears"]:
                ear.hear(built[name].out())  # type: ignore[misc]
        return Net(built, built["sink"].process, tuple(one["name"] for one in kept))

    def make(self, piece: Mapping[str, Any]) -> Built:
        """The process of one piece."""
        made: Built = getattr(self, piece["kind"])(piece)
        made.takes = tuple(piece["takes"])
        return made

    def array(self, piece: Mapping[str, Any], name: str) -> Any:
        """An array of the piece."""
        return self.arrays[f"{piece['name']}/{name}"]

    def window(self, piece: Mapping[str, Any]) -> Window:
        """When the piece's samples begin."""
        return Window(self.interval, piece["shift"], piece.get("width", 0))

    def pick(self, real: Any, fixed: Any) -> Any:
        """The model of this number format."""
        return fixed if self.fixed else real

    def sink(self, kept: list[dict[str, Any]], folder: Path | None) -> Any:
        """What keeps the recorded nodes."""
        ports = [sink.Kept(tuple(k["shape"]), k["shift"], self.count, k["dtype"]) for k in kept]
        return sink.Sink(kept=ports, folder=folder, name="sink")

    # --- one method a kind -------------------------------------------------------------------

    def stream(self, piece: Mapping[str, Any]) -> Built:
        """An input, or a constant current."""
        made = stream.Stream(
            values=self.array(piece, "values"),
            index=self.array(piece, "index"),
            shift=piece["shift"],
            name=piece["name"],
        )
        model = self.pick(stream.StreamFloat, stream.StreamFixed)
        return Built(made, lambda: made.s_out, model=model)

    def dense(self, piece: Mapping[str, Any]) -> Built:
        """Lava's Dense; weight [out, in]."""
        told: dict[str, Any] = {}
        if self.fixed:
            told = {
                "weight_exp": piece["weight_exp"],
                "num_weight_bits": piece["weight_bits"],
                "sign_mode": SignMode[piece["sign_mode"]],
            }
        made = Dense(
            weights=self.array(piece, "weight"),
            num_message_bits=GRADED if piece["graded"] else 0,
            name=piece["name"],
            **told,
        )
        return Built(made, lambda: made.a_out, made.s_in)

    def conv(self, piece: Mapping[str, Any]) -> Built:
        """Lava's Conv; weight [out, in / groups, (y,) x], a cross-correlation."""
        weight = self.array(piece, "weight")
        one_axis = weight.ndim == 3
        weight = weight[:, :, None] if one_axis else weight
        channels, *space = piece["takes"]
        geometry = {
            name: tuple(reversed(([idle] if one_axis else []) + piece[name]))
            for name, idle in (("stride", 1), ("padding", 0), ("dilation", 1))
        }
        numbers = [*weight.shape[2:], piece["groups"], *sum(geometry.values(), ())]
        wide = max(numbers) > NARROW
        made = (conv.WideConv if wide else Conv)(
            weight=np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)),
            input_shape=(space[-1], 1 if one_axis else space[0], channels),
            groups=piece["groups"],
            num_message_bits=GRADED if piece["graded"] else 0,
            name=piece["name"],
            **geometry,
        )

        def out() -> Any:
            port = made.a_out.transpose((2, 1, 0))
            return port.reshape((port.shape[0], port.shape[2])) if one_axis else port

        model = self.pick(conv.WideConvFloat, conv.WideConvFixed) if wide else None
        return Built(made, out, made.s_in, turned=True, model=model)

    def scale(self, piece: Mapping[str, Any]) -> Built:
        """One weight for each element."""
        made = scale.Scale(weight=self.array(piece, "weight"), name=piece["name"])
        return Built(made, lambda: made.a_out, made.s_in, model=scale.ScaleFloat)

    def gate(self, piece: Mapping[str, Any]) -> Built:
        """An edge that is closed at the start of each sample."""
        made = line.Gate(shape=tuple(piece["takes"]), window=self.window(piece), name=piece["name"])
        model = self.pick(line.GateFloat, line.GateFixed)
        return Built(made, lambda: made.a_out, made.s_in, model=model)

    def line(self, piece: Mapping[str, Any]) -> Built:
        """An edge that waits."""
        made = line.Line(
            shape=tuple(piece["takes"]),
            steps=piece["steps"],
            window=self.window(piece),
            name=piece["name"],
        )
        model = self.pick(line.LineFloat, line.LineFixed)
        return Built(made, lambda: made.a_out, made.s_in, model=model)

    def hold(self, piece: Mapping[str, Any]) -> Built:
        """Elements that wait different times; waiting longer than a sample is all the same."""
        steps = np.minimum(self.array(piece, "steps"), self.interval)
        made = hold.Hold(steps=steps, window=self.window(piece), name=piece["name"])
        model = self.pick(hold.HoldFloat, hold.HoldFixed)
        return Built(made, lambda: made.a_out, made.s_in, model=model)

    def lif(self, piece: Mapping[str, Any]) -> Built:
        """Lava's LIFReset, or ours where the reset or the refractory period is not Lava's."""
        told = {
            "shape": tuple(piece["takes"]),
            "reset_interval": self.interval,
            "reset_offset": self.window(piece).offset,
            "bias_exp": piece.get("bias_exp", 0),
            "name": piece["name"],
        }
        for name in ("du", "dv", "vth", "bias_mant"):
            told[name] = number(self.array(piece, name))
        if not piece["extended"]:
            made = LIFReset(**told)
            return Built(made, lambda: made.s_out, made.a_in)
        made = lif.ExtendedLIF(
            subtract=piece["subtract"],
            amount=number(self.array(piece, "amount")),
            refractory=piece["refractory"],
            **told,
        )
        model = self.pick(lif.ExtendedLIFFloat, lif.ExtendedLIFFixed)
        return Built(made, lambda: made.s_out, made.a_in, model=model)


def number(array: Array) -> Any:
    """An array, or the plain number of one without axes."""
    return array if array.ndim else array.item()
