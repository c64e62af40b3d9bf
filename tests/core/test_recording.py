"""A recording says in a line what it holds."""

import numpy as np

from spikeport.core.recording import Recording


def test_shown_are_names_and_shapes_and_no_numbers() -> None:
    recording = Recording(
        {"out": np.full((4, 2, 10), 0.123)},
        {"lif": np.zeros((4, 2, 3), np.uint8)},
        v={"lif": np.zeros((4, 2, 3), np.int32)},
    )
    shown = repr(recording)
    assert "spikes/lif: uint8 [4, 2, 3], v/lif: int32 [4, 2, 3]" in shown
    assert "output: float64 [4, 2, 10]" in shown and "0.123" not in shown
