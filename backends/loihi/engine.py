"""The emulator as an engine."""

import math
import os
from collections.abc import Collection, Mapping
from importlib.metadata import version

import numpy as np

from ...core.arrays import Numbers
from ...core.errors import ConfigError
from ...core.network import Network
from ...core.nodes import Input
from ...core.recording import stored_once
from ..hosted import ChipRun, HostedSession, is_extended
from ..protocol import Capabilities, check, header
from .chip import Chip
from .layout import outside, shaped
from .threads import cores, side_by_side

HOST = (
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay I LI CubaLI"
)
CHIP = "ToChip ChipNeuron ChipLinear ChipAffine ChipConv1d ChipConv2d ChipSumPool2d"
KERNELS = ("fused", "eager")
KERNEL = "SPIKEPORT_LOIHI_KERNEL"
CHUNK_BYTES = 8 << 20  # of the largest layer's drive and spikes: stays within the cache


class Loihi:
    """Loihi's integers on any Python. kernel: 'fused' (numba), 'eager' (the definition), or
    None: SPIKEPORT_LOIHI_KERNEL, else fused."""

    name = "loihi"

    def __init__(self, kernel: str | None = None) -> None:
        self.kernel = kernel or os.environ.get(KERNEL) or "fused"
        if self.kernel not in KERNELS:
            raise ConfigError(f"Loihi's kernel is {self.kernel!r}; {' or '.join(KERNELS)} is meant")

    def capabilities(self) -> Capabilities:
        """Whatever the chip's integers can say, loops of any length included."""
        return Capabilities(
            nodes=frozenset(f"{HOST} {CHIP}".split()),
            number_format="loihi",
            merges_pools=True,
            agreement="bit_exact",
        )

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        return {name: version(name) for name in ("numba", "numpy", "torch")}

    def open(self, network: Network) -> "LoihiSession":
        """Lay the network out for the kernels."""
        check(network, self.capabilities(), self.name)
        return LoihiSession(self, network)


class LoihiSession(HostedSession):
    """Encoder and readout on the host, the chip's part in chunks of samples."""

    def __init__(self, backend: Loihi, network: Network) -> None:
        super().__init__(network, header(backend, network, dtype="int32"))
        self.backend = backend
        self.chips: dict[tuple[tuple[str, int], ...], Chip] = {}

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
            given[name] = 1 << (max(top, 1) - 1).bit_length()  # rounded up: few layouts
        key = tuple(sorted(given.items()))
        if key not in self.chips:
            self.chips = {key: Chip(self.parts.chip, given, self.backend.kernel)}
        return self.chips[key]

    def on_chip(
        self, signals: Mapping[str, Numbers], record: Collection[str], static: frozenset[str]
    ) -> ChipRun:
        """See HostedSession."""
        chip = self.chip_for(signals)
        steps, batch = next(iter(signals.values())).shape[:2]
        size = min(chunk(chip, steps), math.ceil(batch / cores()))
        kept = Collected(chip, steps, batch, record)

        def work(start: int) -> None:
            part = {name: x[:, start : start + size] for name, x in signals.items()}
            kept.add(start, part, record)

        side_by_side(work, range(0, batch, size))
        nodes = self.parts.chip.nodes
        told = {
            "kernel": self.backend.kernel,
            "sums": chip.ways(),
            "extensions": [n for n in chip.populations if is_extended(nodes[n])],
        }
        return ChipRun(kept.outputs, kept.spikes, kept.v, kept.u, {"loihi": told})


def chunk(chip: Chip, steps: int) -> int:
    """Samples at a time, such that a layer's numbers stay in the cache."""
    largest = max((p.size for p in chip.populations.values()), default=1)
    return max(1, CHUNK_BYTES // (largest * steps * 5))


class Collected:
    """What is kept of all chunks, [T, B, *shape], channels first."""

    def __init__(self, chip: Chip, steps: int, batch: int, record: Collection[str]) -> None:
        self.chip = chip
        self.steps = steps
        shapes = chip.program.shapes

        def empty(names: Collection[str], kind: type[np.generic]) -> dict[str, Numbers]:
            return {n: np.empty((steps, batch, *shapes[n]), kind) for n in names}

        self.outputs = empty(chip.program.network.outputs, np.float64)
        self.spikes, self.u, self.v = (empty(record, k) for k in (np.uint8, np.int32, np.int32))

    def add(self, start: int, part: Mapping[str, Numbers], record: Collection[str]) -> None:
        """Run a chunk and put it in its place."""
        batch = next(iter(part.values())).shape[1]
        outputs, kept = self.chip.run(part, self.steps, batch, record)
        here = slice(start, start + batch)
        for name, values in outputs.items():
            self.outputs[name][:, here] = values
        for name in record:
            shape = self.chip.program.shapes[name]
            ran = kept[name]
            assert ran.u is not None and ran.v is not None
            for into, values in ((self.spikes, ran.spikes), (self.u, ran.u), (self.v, ran.v)):
                laid = values.reshape(self.steps, batch, *shaped(shape))
                into[name][:, here] = outside(laid, shape)
