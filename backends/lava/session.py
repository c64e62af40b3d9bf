"""A network opened on Lava: check what comes in, run the parts, put the recording together."""

import os
from collections.abc import Collection, Mapping
from typing import Any, get_args

from ...core.arrays import Numbers
from ...core.chip_nodes import ChipNeuron
from ...core.errors import ConfigError
from ...core.network import Network
from ...core.nodes import Neuron
from ...core.recording import Recording, checked_inputs, wanted_nodes
from ..hosted import ChipRun, HostedSession, is_extended, unchanging
from ..protocol import Closing
from .chip import Chip, Mode
from .pool import Pool

MODE = "SPIKEPORT_LAVA_MODE"


def mode_for(asked: str | None, states: bool) -> Mode:
    """How to run: as asked, by argument or environment; 'auto' steps where states are kept and
    uses Lava's own runtime elsewhere."""
    mode = asked or os.environ.get(MODE) or "auto"
    for known in get_args(Mode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    if mode != "auto":
        raise ConfigError(f"Lava's mode is {mode!r}; runtime, stepped or auto is meant ({MODE})")
    return "stepped" if states else "runtime"


class OnLava:
    """How both engines' sessions run a chip's part. mode: runtime, stepped, auto, or None for
    the environment's. states: whether v and u of recorded populations are kept, too."""

    pool: Pool
    asked: str | None
    states: bool
    stand_ins: bool

    def prepare(
        self, pool: Pool, mode: str | None = None, states: bool = True, stand_ins: bool = True
    ) -> None:
        """ConfigError for a mode that is none."""
        mode_for(mode, states)
        self.stand_ins = stand_ins
        self.pool = pool
        self.asked = mode
        self.states = states

    def close(self) -> None:
        """End the workers."""
        self.pool.close()

    def on_lava(
        self, chip: Chip, signals: Mapping[str, Numbers], record: Collection[str], static: Any
    ) -> ChipRun:
        """Run the chip's part, and say how."""
        states = self.states and bool(record)
        mode = mode_for(self.asked, states)
        ran = chip.run(signals, record, states and mode == "stepped", mode, static)
        nodes = chip.program.network.nodes
        populations = chip.program.network.named(Neuron, ChipNeuron)
        told = {
            "mode": mode,
            "seconds": ran.seconds,
            "steps": ran.steps,
            "stand_ins": ran.stand_ins,
            "own_processes": ran.ours,
            "workers": len(self.pool.desks),
            "extensions": [n for n in populations if is_extended(nodes[n])],
        }
        return ChipRun(ran.outputs, ran.spikes, ran.v, ran.u, {"lava": told})


class FloatSession(OnLava, Closing):
    """The whole network on Lava."""

    def __init__(self, network: Network, header: Mapping[str, Any], pool: Pool, **how: Any) -> None:
        self.prepare(pool, **how)
        self.network = network
        self.header = header
        self.chip = Chip(network, False, pool, self.stand_ins)

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        static = unchanging(inputs)
        signals = checked_inputs(self.network, inputs)
        ran = self.on_lava(self.chip, signals, wanted_nodes(self.network, record), static)
        return Recording(ran.outputs, ran.spikes, ran.v, ran.u, {**self.header, **ran.told})


class FixedSession(OnLava, HostedSession):
    """The chip's part on Lava, encoder and readout by the reference interpreter."""

    def __init__(self, network: Network, header: Mapping[str, Any], pool: Pool, **how: Any) -> None:
        self.prepare(pool, **how)
        super().__init__(network, header)
        self.chip = Chip(self.parts.chip, True, pool, self.stand_ins)

    def on_chip(
        self, signals: Mapping[str, Numbers], record: Collection[str], static: frozenset[str]
    ) -> ChipRun:
        """See HostedSession."""
        return self.on_lava(self.chip, signals, record, static)
