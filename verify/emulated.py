"""The emulator as the quantiser's runner: the interpreter's bits, faster."""

from collections.abc import Collection, Mapping

from ..backends import registry
from ..backends.protocol import Capabilities
from ..core.arrays import Numbers
from ..core.errors import BackendUnavailable
from ..core.network import Network
from ..core.recording import Recording
from ..export.quantise.options import Runner, by_interpreter


def by_emulator() -> Runner:
    """Runs integer networks on `loihi`, or on the interpreter where that is not installed."""
    try:
        engine = registry.get("loihi")
    except BackendUnavailable:
        return by_interpreter

    def run(network: Network, inputs: Mapping[str, Numbers], record: Collection[str]) -> Recording:
        with engine.open(network) as session:
            return session.run(inputs, record)

    return run


def chip_capabilities() -> Capabilities:
    """What a network must be lowered to before it is quantised."""
    return Capabilities(nodes=CHIP_INPUT, number_format="loihi", merges_pools=True)


CHIP_INPUT = frozenset(
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay I LI IF LIF "
    "CubaLI CubaLIF".split()
)
