"""core.interpreter as an engine: plain, float64, and by definition right."""

import platform
from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from ..core import interpreter, schedule
from ..core.arrays import Numbers
from ..core.network import Network
from ..core.recording import Recording
from .protocol import Capabilities, Closing, check, header

KINDS = frozenset(
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d MaxPool2d Flatten Delay "
    "BatchNorm Threshold I LI IF LIF CubaLI CubaLIF ToChip ChipNeuron ChipLinear ChipAffine "
    "ChipConv1d ChipConv2d ChipSumPool2d".split()
)


class Reference:
    """The reference interpreter."""

    name = "reference"

    def capabilities(self) -> Capabilities:
        """Everything that a network can say."""
        epsilon = float(np.finfo(np.float64).eps)
        return Capabilities(nodes=KINDS, epsilon=epsilon, schedules=True, pipelined=True)

    def versions(self) -> dict[str, str]:
        """numpy does the sums."""
        return {"python": platform.python_version(), "numpy": np.__version__}

    def open(self, network: Network) -> "ReferenceSession":
        """Compile it."""
        check(network, self.capabilities(), self.name)
        return ReferenceSession(self, network)


class ReferenceSession(Closing):
    """A compiled network."""

    def __init__(self, backend: Reference, network: Network) -> None:
        self.program = schedule.compile(network)
        self.header = header(backend, network, dtype="float64")

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        recording = interpreter.run(self.program, inputs, record)
        return replace(recording, header=self.header)
