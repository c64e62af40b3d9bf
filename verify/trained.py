"""The trained model itself, as the engines' baseline and as a row of its own.

What is held is a plain callable that the command line hands over, since this floor knows no
trainer: x [T, B, *shape] -> (outputs, population -> spikes).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..backends.protocol import Capabilities, Closing
from ..backends.reference import KINDS
from ..core.arrays import Array, Numbers
from ..core.network import Network
from ..core.recording import Recording
from .run import only_ports

Forward = Callable[[Numbers], tuple[Numbers, Mapping[str, Numbers]]]


@dataclass(frozen=True)
class TrainedBaseline:
    """The checkpoint's model: eval mode, eager neurons, norms unfolded, float64."""

    forward: Forward
    populations: Sequence[str]
    name: str = "the trained model (float64)"

    def run(self, x: Numbers) -> tuple[Array, Mapping[str, Numbers]]:
        """See run.Baseline."""
        outputs, spikes = self.forward(x)
        return np.asarray(outputs, np.float64), spikes


@dataclass(frozen=True)
class TrainedForward:
    """The model's own forward in the precision of training, as a row for information."""

    forward: Forward
    versions_: Mapping[str, str]
    name: str = "float32 model"

    def capabilities(self) -> Capabilities:
        """Whatever was trained; its rounding is float32's."""
        return Capabilities(
            nodes=KINDS,
            epsilon=float(np.finfo(np.float32).eps),
            schedules=True,
            agreement="spikes",
        )

    def versions(self) -> dict[str, str]:
        """What computes it."""
        return dict(self.versions_)

    def open(self, network: Network) -> "ForwardSession":
        """The network is only looked at for its ports."""
        return ForwardSession(self, only_ports(network)[1])


class ForwardSession(Closing):
    """Runs the callable."""

    def __init__(self, backend: TrainedForward, output: str) -> None:
        self.backend = backend
        self.output = output

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        (x,) = inputs.values()
        outputs, spikes = self.backend.forward(x)
        return Recording(
            {self.output: np.asarray(outputs, np.float64)},
            dict(spikes),
            header={"engine": self.backend.name, "versions": self.backend.versions()},
        )
