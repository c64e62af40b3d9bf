"""Cases that every engine must run exactly, or refuse by name: small networks with their input.

A case is a network and what goes in. What comes out of core.interpreter is what is expected: every
population's spikes, with ==. Whoever runs a case brings its network within an engine's
capabilities by passes and opens it; a case whose lowered form is outside of them must be refused,
with the reason. `spikeport conformance` runs all of them on any engine or function.
"""

from . import graphs, loops, maps, neurons, primitives  # noqa: F401  each registers its cases
from .building import BATCH, BUILDERS, DT, STEPS, Built, Case, make
from .chip import PIPELINED

BUILDERS.update(PIPELINED)

__all__ = ["BATCH", "BUILDERS", "DT", "PIPELINED", "STEPS", "Built", "Case", "cases", "make"]


def cases() -> list[Case]:
    """All of them, the same every time."""
    return [make(name) for name in BUILDERS]
