"""The emulator as an engine."""

import math
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from threading import Lock

import numpy as np

from ...core.arrays import Numbers
from ...core.chip_nodes import ChipNeuron
from ...core.errors import ConfigError
from ...core.loihi import SUM_LIMIT
from ...core.network import Network
from ...core.nodes import Input
from ...core.recording import Recording, stored_once
from ...core.schedule import compile
from ..hosted import ChipRun, HostedSession, is_extended
from ..protocol import Capabilities, check, header
from .arrays import Array, fetched
from .chip import Chip
from .gpu.device import chosen, exact_products, in_turns, interpreted, room
from .joined import Joined
from .layout import outside, shaped
from .threads import cores, side_by_side, torch_or_none

HOST = (
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay I LI CubaLI"
)
CHIP = "ToChip ChipNeuron ChipLinear ChipAffine ChipConv1d ChipConv2d ChipSumPool2d"
KERNELS = ("fused", "eager")
KERNEL = "SPIKEPORT_LOIHI_KERNEL"
SIGNAL = 13  # bytes of an element on a device: a sum, a spike, and u and v if they are recorded
AT_ONCE = 2  # chunks on a device
SOME = 1024  # samples of a chunk there that are worth a launch of every kernel
CHUNK_BYTES = 8 << 20  # of the largest layer's drive and spikes: stays within the cache


class Loihi:
    """Loihi's integers on any Python. kernel: 'fused' (numba, or Triton on a GPU), 'eager' (the
    definition), or None: SPIKEPORT_LOIHI_KERNEL, else fused. device: see `gpu.device`; None:
    SPIKEPORT_LOIHI_DEVICE, else cpu. Neither moves a bit."""

    name = "loihi"

    def __init__(self, kernel: str | None = None, device: str | None = None) -> None:
        self.device = chosen(device)
        self.kernel = kernel or os.environ.get(KERNEL) or "fused"
        if self.kernel not in KERNELS:
            raise ConfigError(f"Loihi's kernel is {self.kernel!r}; {' or '.join(KERNELS)} is meant")

    def capabilities(self) -> Capabilities:
        """Whatever the chip's integers can say, loops of any length included."""
        return Capabilities(
            nodes=frozenset(f"{HOST} {CHIP}".split()),
            number_format="loihi",
            pipelined=True,
            merges_pools=True,
            agreement="bit_exact",
        )

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        names = ["numba", "numpy", *(["torch"] if torch_or_none() else [])]
        if self.device is not None and find_spec("triton"):
            names.append("triton")
        return {name: version(name) for name in names}

    def open(self, network: Network) -> "LoihiSession":
        """Lay the network out for the kernels."""
        check(network, self.capabilities(), self.name)
        return LoihiSession(self, network)


class LoihiSession(HostedSession):
    """Encoder, chip and readout of a chunk of samples after the other, chunks side by side."""

    def __init__(self, backend: Loihi, network: Network) -> None:
        super().__init__(network, header(backend, network, dtype="int32"))
        self.backend = backend
        self.chips: dict[tuple[tuple[str, int], ...], Chip] = {}
        self.lock = Lock()

    def run_checked(
        self, given: Mapping[str, Numbers], wanted: Collection[str], static: frozenset[str]
    ) -> Recording:
        """See HostedSession."""
        steps, batch = next(iter(given.values())).shape[:2]
        size = self.samples_at_once(steps)
        if self.backend.device is None:
            size = min(size, math.ceil(batch / cores()))
        else:
            size = min(size, max(SOME, math.ceil(batch / (2 * AT_ONCE))))
        joined = Joined(batch)

        def work(start: int) -> None:
            part = {name: x[:, start : start + size] for name, x in given.items()}
            joined.add(start, super(LoihiSession, self).run_checked(part, wanted, static))

        with exact_products():
            if self.backend.device is None:
                side_by_side(work, range(0, batch, size))
            else:  # one chunk is brought there while the other runs
                at_once = 1 if interpreted() else AT_ONCE
                in_turns(work, range(0, batch, size), at_once, self.backend.device)
        return joined.recording()

    def samples_at_once(self, steps: int) -> int:
        """Such that a layer's drive and spikes stay in the cache; on a device, that all layers'
        fit its memory."""
        return max(1, self.sample_steps() // steps)

    def sample_steps(self) -> int:
        """The same for samples of one step; where one sample has more steps, they go in windows
        of so many."""
        if self.backend.device is not None:
            shapes = compile(self.parts.chip).shapes.values()
            bytes_of_one = AT_ONCE * SIGNAL * sum(map(math.prod, shapes))
            return max(1, room(self.backend.device) // bytes_of_one)
        nodes = self.parts.chip.nodes.values()
        largest = max((math.prod(n.shape) for n in nodes if isinstance(n, ChipNeuron)), default=1)
        return max(1, CHUNK_BYTES // (largest * 5))

    def chip_for(self, signals: Mapping[str, Numbers]) -> Chip:
        """The chip's part, for inputs of this size: their bound decides on number types."""
        nodes = self.parts.chip.nodes
        given = {}
        for name, x in signals.items():
            node = nodes[name]
            assert isinstance(node, Input)
            if node.content == "spikes":
                given[name] = 1
                continue
            top = int(np.abs(stored_once(x)).max(initial=0))
            rounded_up = 1 << (max(top, 1) - 1).bit_length()  # few layouts
            given[name] = max(top, min(rounded_up, SUM_LIMIT - 1))
        key = tuple(sorted(given.items()))
        with self.lock:
            if key not in self.chips:
                self.chips[key] = Chip(
                    self.parts.chip, given, self.backend.kernel, self.backend.device
                )
            return self.chips[key]

    def on_chip(
        self, signals: Mapping[str, Numbers], record: Collection[str], static: frozenset[str]
    ) -> ChipRun:
        """See HostedSession."""
        chip = self.chip_for(signals)
        steps, batch = next(iter(signals.values())).shape[:2]
        outputs, kept = chip.run(
            signals, steps, batch, record, max(1, self.sample_steps() // batch)
        )
        found = ChipRun({name: x.astype(np.float64) for name, x in outputs.items()})

        def laid(name: str, values: Array | None) -> Numbers:
            assert values is not None
            shape = chip.program.shapes[name]
            return fetched(outside(values.reshape(steps, batch, *shaped(shape)), shape))

        spikes = {n: laid(n, kept[n].spikes) for n in record}
        v = {n: laid(n, kept[n].v) for n in record}
        u = {n: laid(n, kept[n].u) for n in record}
        nodes = self.parts.chip.nodes
        told = {
            "kernel": self.backend.kernel,
            **self.where(chip),
            "sums": chip.ways(),
            "extensions": [n for n in chip.populations if is_extended(nodes[n])],
        }
        return replace(found, spikes=spikes, v=v, u=u, told={"loihi": told})

    def where(self, chip: Chip) -> dict[str, str]:
        """The device, and what ran the neurons there."""
        if self.backend.device is None:
            return {}
        engines = sorted({p.engine for p in chip.populations.values()})
        return {"device": self.backend.device, "neurons": ", ".join(engines)}
