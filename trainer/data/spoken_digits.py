"""Free Spoken Digit Dataset: 3,000 recordings of ten digits by six speakers, 8 kHz.

Files are named DIGIT_SPEAKER_NUMBER.wav. As its authors say, numbers 0 to 4 of every speaker and
digit are for testing; here 5 to 9 are for validation. Each recording becomes T columns of a mel
spectrogram (`trainer.encoders.spectrogram`), in one of three forms:

    current     each band less its mean over the training split, over its deviation
    crossings   2 x bands spikes: where a band, from 0 to 1 in its recording, crosses one of
                `levels` levels, upwards and downwards
    latency     one spike a band, where it first reaches half of its range in the recording
"""

import re
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.settings import Sound
from ..encoders.spectrogram import mel_spectrogram
from .dataset import DataSet
from .places import found

NAME = "spoken-digits"
FILE = re.compile(r"(\d)_([a-z]+)_(\d+)\.wav")
TEST, VALIDATION = range(5), range(5, 10)
GET = "Get the Free Spoken Digit Dataset (its folder recordings/)"
Array = NDArray[np.float64]


def load(folder: str = "", sound: Sound | None = None, steps: int = 50) -> DataSet:
    """x [N, T, bands], or [N, T, 2 bands] of crossings; DataError if there are no recordings, or
    one of them is damaged."""
    about = sound or Sound()
    place = found(NAME, folder, ("recordings", "fsdd/recordings"), (), GET)
    files = sorted((p, m) for p in place.glob("*.wav") if (m := FILE.fullmatch(p.name)))
    if not files:
        raise DataError(f"{place} holds no recordings DIGIT_SPEAKER_NUMBER.wav. {GET}")
    y = np.array([int(m[1]) for _, m in files])
    numbers = np.array([int(m[3]) for _, m in files])
    splits = {
        "train": np.flatnonzero(numbers >= VALIDATION.stop),
        "validation": np.flatnonzero(np.isin(numbers, VALIDATION)),
        "test": np.flatnonzero(np.isin(numbers, TEST)),
    }
    bands = np.stack([spectrogram(p, about.bands, steps) for p, _ in files])
    if about.kind == "current":
        x, content = current(bands, splits["train"]), "analogue"
    else:
        x = crossings(bands, about.levels) if about.kind == "crossings" else latency(bands)
        content = "spikes"
    kept = x.astype(np.float32)
    return DataSet(NAME, kept, y, splits, 10, content, temporal=True)  # type: ignore[arg-type]


def spectrogram(path: Path, bands: int, steps: int) -> Array:
    """[T, bands] of a recording."""
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth()
            rate, content = file.getframerate(), file.readframes(file.getnframes())
    except (wave.Error, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read as a wav file: {error}") from error
    if form != (1, 2):
        raise DataError(f"{path} has {form[0]} channels of {form[1]} bytes; one of 2 is meant")
    samples = np.frombuffer(content[: len(content) // 2 * 2], "<i2") / 32768
    try:
        return mel_spectrogram(samples, rate, steps, bands)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def current(bands: Array, train: NDArray[np.int64]) -> Array:
    """Standardised by the training split, band by band."""
    known = bands[train] if len(train) else bands
    middle, spread = known.mean((0, 1)), known.std((0, 1))
    standard: Array = (bands - middle) / np.where(spread > 0, spread, 1)
    return standard


def ranged(bands: Array) -> Array:
    """Each band from 0 to 1 within its recording; one that does not change stays 0."""
    low, high = bands.min(1, keepdims=True), bands.max(1, keepdims=True)
    scaled: Array = (bands - low) / np.where(high > low, high - low, 1)
    return scaled


def crossings(bands: Array, levels: int) -> Array:
    """[N, T, 2 bands]: upwards, then downwards; none in the first step."""
    at = np.floor(ranged(bands) * levels).astype(np.int64).clip(0, levels - 1)
    change = np.diff(at, axis=1, prepend=at[:, :1])
    return np.concatenate([change > 0, change < 0], axis=2).astype(np.float64)


def latency(bands: Array) -> Array:
    """[N, T, bands]: one spike a band."""
    reached = ranged(bands) >= 0.5
    first = reached.argmax(1)
    x = np.zeros(bands.shape)
    sample, band = np.nonzero(reached.any(1))
    x[sample, first[sample, band], band] = 1
    return x
