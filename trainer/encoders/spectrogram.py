"""Sound as current: the logarithm of a mel spectrogram, one column a step."""

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

Numbers = NDArray[np.floating]


def mel(hertz: Numbers | float) -> Numbers:
    """Hertz -> mel (O'Shaughnessy)."""
    return np.asarray(2595 * np.log10(1 + np.asarray(hertz) / 700))


def mel_bands(bands: int, window: int, rate: float) -> NDArray[np.float64]:
    """Triangles [bands, window // 2 + 1], evenly spaced in mel from 0 to half the rate, each 1 at
    its middle."""
    edges = np.linspace(0, float(mel(rate / 2)), bands + 2)
    place = mel(np.fft.rfftfreq(window, 1 / rate))
    rise = (place - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - place) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall))


def mel_spectrogram(
    wave: Numbers, rate: float, steps: int, bands: int = 40, window: int = 256, floor: float = 1e-6
) -> NDArray[np.float64]:
    """wave [N] -> [T, bands]: T Hann windows evenly spread over the sound, power per band,
    natural logarithm of power + floor. DataError if the sound is shorter than a window."""
    samples = np.asarray(wave, np.float64)
    if samples.ndim != 1 or len(samples) < window:
        raise DataError(
            f"a sound has shape {list(samples.shape)}; one channel of at least {window} samples "
            "is meant"
        )
    starts = np.rint(np.linspace(0, len(samples) - window, steps)).astype(np.int64)
    cut = samples[starts[:, None] + np.arange(window)] * np.hanning(window)
    power = np.abs(np.fft.rfft(cut, axis=1)) ** 2
    return np.asarray(np.log(power @ mel_bands(bands, window, rate).T + floor))
