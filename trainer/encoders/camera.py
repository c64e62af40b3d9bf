"""An event camera that looks at a still image: it moves, and pixels whose brightness changes fire.

The gaze runs along a triangle, three legs in equal time, as in N-MNIST's recordings (Orchard et
al. 2015), by fractions of a pixel. A pixel compares the logarithm of its brightness with the one
at its last event, and fires once for every `threshold` that it has risen or fallen (the model of a
dynamic vision sensor: Lichtsteiner et al. 2008). Several events of a pixel in a step are one
spike. Nothing is random.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FINE = 4  # positions of the gaze in a step
DARK = 0.1  # added to brightness, 0 to 1, before its logarithm: the dark current
CORNERS = np.array([[0.0, 0.0], [1.0, 0.5], [0.0, 1.0], [0.0, 0.0]])  # y, x in amplitudes


def gaze(positions: int, amplitude: float) -> Array:
    """Where the camera looks, [positions + 1, 2] in pixels, y and x, from corner to corner."""
    place = np.linspace(0, len(CORNERS) - 1, positions + 1)
    corners = np.arange(len(CORNERS))
    return amplitude * np.stack([np.interp(place, corners, CORNERS[:, i]) for i in (0, 1)], 1)


def shifted(x: Array, move: Array) -> Array:
    """Images [..., H, W] moved by (y, x) pixels, 0 or more, between pixels linearly; what comes
    in at the border is the border."""
    for axis, by in zip((-2, -1), move, strict=True):
        whole, part = int(np.floor(by)), float(by - np.floor(by))
        index = np.arange(x.shape[axis])
        near, far = (np.maximum(index - whole - n, 0) for n in (0, 1))
        x = (1 - part) * np.take(x, near, axis) + part * np.take(x, far, axis)
    return x


def saccades(
    x: NDArray[np.floating], steps: int, amplitude: float, threshold: float
) -> NDArray[np.float32]:
    """Images [B, C, H, W] from 0 to 1 -> spikes [T, B, 2, H, W]: brighter, darker. Colours count
    by their mean."""
    grey = np.asarray(x, np.float64).mean(1)
    path = gaze(steps * FINE, amplitude)
    held = np.log(shifted(grey, path[0]) + DARK)
    out = np.zeros((steps, len(x), 2, *grey.shape[1:]), np.float32)
    for number, move in enumerate(path[1:]):
        change = np.log(shifted(grey, move) + DARK) - held
        events = np.trunc(change / threshold)
        held += events * threshold
        frame = out[number // FINE]
        frame[:, 0][events > 0] = 1
        frame[:, 1][events < 0] = 1
    return out
