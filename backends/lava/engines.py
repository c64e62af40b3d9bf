"""The two engines: what they can run, and how a network is opened on them."""

from typing import Any

import numpy as np

from ...core.errors import BackendUnavailable, ConfigError
from ...core.network import Network
from ..protocol import Backend, Capabilities, check, header
from .environment import ensure, find, versions
from .pool import Pool
from .session import FixedSession, FloatSession, mode_for

LINEAR = "Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay"
FLOAT = frozenset(f"Input Output {LINEAR} Threshold IF LIF CubaLIF".split())
CHIP = "ToChip ChipNeuron ChipLinear ChipAffine ChipConv1d ChipConv2d ChipSumPool2d"
FIXED = frozenset(f"Input Output {LINEAR} I LI CubaLI {CHIP}".split())


class Lava:
    """What both engines share.

    mode: 'runtime' (Lava's own), 'stepped' (Lava's models in one process, about ten times as
    fast), 'auto', or None: SPIKEPORT_LAVA_MODE, else auto. workers: processes that share a
    batch. states: whether recorded populations come with v and u, which only 'stepped' has.
    stand_ins: whether im2col may stand for Lava's convolution, which loops over channels.
    """

    name = ""

    def __init__(
        self,
        mode: str | None = None,
        workers: int = 1,
        states: bool = True,
        stand_ins: bool = True,
    ) -> None:
        mode_for(mode, states)
        if workers < 1:
            raise ConfigError(f"{workers} Lava workers; at least 1 is needed")
        self.mode = mode
        self.workers = workers
        self.states = states
        self.stand_ins = stand_ins

    def capabilities(self) -> Capabilities:
        """What it runs."""
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        """Of Lava's own environment; BackendUnavailable if it has not been made yet."""
        python = find()
        if python is None:
            raise BackendUnavailable(
                f"backend {self.name!r}: Lava's Python 3.10 environment is not there yet; it is "
                "made at first use, or now by: spikeport setup lava"
            )
        return versions(python)

    def how(self) -> dict[str, Any]:
        """For the session."""
        return {
            "pool": Pool(self.workers),
            "mode": self.mode,
            "states": self.states,
            "stand_ins": self.stand_ins,
        }


def checked(backend: Backend, network: Network, dtype: str) -> dict[str, Any]:
    """Check the network, make Lava's environment if need be; the session's header."""
    check(network, backend.capabilities(), backend.name)
    ensure()
    return header(backend, network, dtype=dtype)


class LavaFloat(Lava):
    """Lava's floating-point models: the whole network."""

    name = "lava-float"

    def capabilities(self) -> Capabilities:
        """Spikes differ at most within float64 rounding: Lava sums in another order, and
        computes a decay below one half as 1 - (1 - decay)."""
        return Capabilities(
            nodes=FLOAT,
            epsilon=float(np.finfo(np.float64).eps),
            gain="one",
            cuba_gain="one",
            v_reset=False,
            step_per_synapse=True,
            pipelined=True,
            merges_pools=True,
            agreement="spikes",
        )

    def open(self, network: Network) -> FloatSession:
        """UnsupportedNode or NetworkError if it cannot run; no worker is started before a run."""
        return FloatSession(network, checked(self, network, "float64"), **self.how())


class LavaFixed(Lava):
    """Lava's bit-accurate models of Loihi's integers; encoder and readout on the host."""

    name = "lava-fixed"

    def capabilities(self) -> Capabilities:
        """Bit for bit what core.interpreter computes."""
        return Capabilities(
            nodes=FIXED,
            number_format="loihi",
            step_per_synapse=True,
            pipelined=True,
            merges_pools=True,
            agreement="bit_exact",
        )

    def open(self, network: Network) -> FixedSession:
        """UnsupportedNode or NetworkError if it cannot run; no worker is started before a run."""
        return FixedSession(network, checked(self, network, "int32"), **self.how())
