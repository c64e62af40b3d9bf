"""The judge of conformance: the chip's states to the bit, the host's to rounding."""

import numpy as np
import pytest

from spikeport.backends.conformance import make
from spikeport.core import interpreter
from spikeport.core.arrays import Numbers
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile
from spikeport.verify.conformance.verdict import Promise, judge


def recorded(v: dict[str, np.ndarray]) -> Recording:
    """The case's own recording with other membranes."""
    case = make("leaky_readout")
    seen = interpreter.run(compile(case.network), case.inputs, ("all",))
    return Recording(seen.outputs, seen.spikes, v, {}, seen.header)


@pytest.mark.parametrize(
    ("dtype", "off", "word"),
    [(np.int32, 1, "WRONG"), (np.float64, 1e-15, "exact"), (np.float64, 1e-6, "WRONG")],
)
def test_states_beside_integers(dtype: type, off: float, word: str) -> None:
    case = make("leaky_readout")
    there: Numbers = np.ones((12, 3, 4), dtype)
    wanted, got = recorded({"read": there}), recorded({"read": (there + off).astype(dtype)})
    found = judge(case.network, case.inputs, wanted, got, Promise("bit_exact", 0.0, True))
    assert found.word == word, found
