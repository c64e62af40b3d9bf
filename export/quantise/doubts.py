"""Calibration data that say nothing, or little: refused, or named."""

from collections.abc import Iterator, Mapping

import numpy as np

from ...core.arrays import Numbers
from ...core.errors import DataError
from ...core.recording import stored_once
from .layers import Layer


def refuse_silence(calibration: Mapping[str, Numbers]) -> None:
    """DataError where nothing but 0 comes in."""
    if not any(stored_once(np.asarray(x)).any() for x in calibration.values()):
        raise DataError(
            "the calibration data are 0 everywhere, which says nothing of the currents and spikes "
            "that integers must hold; give samples such as the network was trained on"
        )


def doubts(calibration: Mapping[str, Numbers], layers: Mapping[str, Layer]) -> Iterator[str]:
    """What is odd of the data [T, B, *shape], and of what the populations did on them."""
    for name, given in calibration.items():
        x = np.asarray(given)
        if x.size > 1 and (x == x.flat[0]).all():
            yield f"input {name!r} is {x.flat[0]:g} everywhere in the calibration data"
        elif x.shape[1] > 1 and (stored_once(x) == stored_once(x)[:, :1]).all():
            yield f"input {name!r}: all {x.shape[1]} samples of the calibration data are the same"
    for name, layer in layers.items():
        if not layer.spikes.any():
            yield f"{name!r} never fires on the calibration data, which say nothing of its scale"
        elif layer.spikes.all():
            yield f"{name!r} never rests on the calibration data, which say little of its scale"
