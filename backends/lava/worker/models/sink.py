"""One process that keeps everything that is recorded: reading a RingBuffer back out of Lava's
runtime takes 30 to 50 microseconds an element."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


@dataclass(frozen=True)
class Kept:
    """What one port keeps: `count` steps of `shape`, from chip step shift + 1 on."""

    shape: tuple[int, ...]
    shift: int
    count: int
    dtype: str


def port(number: int) -> str:
    """Name of the sink's port of that number."""
    return f"in_{number}"


def file(folder: Path, number: int) -> Path:
    """Where that port's array is written."""
    return folder / f"kept-{number}.npy"


class Sink(AbstractProcess):  # type: ignore[misc]
    """Keeps `kept[i]` of its i-th port. folder: where to write the arrays once the last of them
    is full; None: they stay in the model."""

    def __init__(self, *, kept: list[Kept], folder: Path | None, name: str) -> None:
        super().__init__(kept=kept, folder=folder, name=name)
        for number, one in enumerate(kept):
            setattr(self, port(number), InPort(shape=one.shape))


@implements(proc=Sink, protocol=LoihiProtocol)
@requires(CPU)
class PySink(PyLoihiProcessModel):  # type: ignore[misc]
    """Either number format: float64 holds all of the chip's integers."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.kept: list[Kept] = proc_params["kept"]
        self.folder: Path | None = proc_params["folder"]
        self.arrays = [np.zeros((k.count, *k.shape), k.dtype) for k in self.kept]
        self.last = max(k.shift + k.count for k in self.kept)

    def run_spk(self) -> None:
        """One step."""
        for number, (one, array) in enumerate(zip(self.kept, self.arrays, strict=True)):
            heard = getattr(self, port(number)).recv()
            at = self.time_step - 1 - one.shift
            if 0 <= at < one.count:
                array[at] = heard
        if self.folder is not None and self.time_step == self.last:
            for number, array in enumerate(self.arrays):
                np.save(file(self.folder, number), array)


@cache
def model(ports: int) -> type[PySink]:
    """The sink's model with that many ports: Lava wants them as attributes of the class."""
    declared = {port(n): LavaPyType(PyInPort.VEC_DENSE, float) for n in range(ports)}
    return type(f"PySink{ports}", (PySink,), declared)
