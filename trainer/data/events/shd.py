"""Spiking Heidelberg Digits (Cramer et al. 2020): spoken digits through an artificial cochlea.

shd_train.h5 and shd_test.h5 hold spikes/times (seconds) and spikes/units (0 to 699), an array
each recording, and labels (20 classes: ten digits in two languages). Frames are [T, 700]. A tenth
of the training recordings, each class in proportion, is for validation.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.errors import DataError
from ....core.settings import Data
from ...encoders.events import Events
from ..lazy import Lazy
from ..places import found
from ..splits import stratified
from .source import Frames, Recording, lazy

NAME = "shd"
UNITS = 700
CLASSES = 20
FILES = ("shd_train.h5", "shd_test.h5")
MICROSECONDS = 1e6
TENTH = 10


def load(settings: Data) -> Lazy:
    """DataError if a file is missing or not what it should be."""
    get = "Get shd_train.h5.gz and shd_test.h5.gz of Spiking Heidelberg Digits and unpack them"
    place = found(NAME, settings.folder, ("", "shd", "SHD"), FILES, get)
    halves = [recordings(place / file) for file in FILES]
    train, test = halves
    labels = np.array([recording.label for recording in train], np.int64)
    held = len(train) // TENTH
    splits = stratified(labels, {"train": len(train) - held, "validation": held})
    splits["test"] = np.arange(len(train), len(train) + len(test))
    frames = Frames(NAME, [*train, *test], decode, (UNITS,), settings.events, settings.cache)
    return lazy(frames, splits, CLASSES, settings)


def recordings(path: Path) -> list[Recording]:
    """All of a file."""
    with _opened(path) as file:
        labels = _held(file, "labels", path)[:]
        counts = {key: len(_held(file, key, path)) for key in ("spikes/times", "spikes/units")}
    if set(counts.values()) != {len(labels)} or not len(labels):
        raise DataError(f"{path} has {len(labels)} labels for {counts} recordings")
    if labels.dtype.kind not in "ui":
        raise DataError(f"{path}: labels are {labels.dtype}; whole numbers are meant")
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise DataError(f"{path}: labels run from {labels.min()} to {labels.max()}; 0 to 19")
    return [Recording(path, int(label), f"recording-{n}", n) for n, label in enumerate(labels)]


def decode(recording: Recording) -> Events:
    """The spikes of one recording; units stand for x."""
    with _opened(recording.path) as file:
        times = np.asarray(_held(file, "spikes/times", recording.path)[recording.at], np.float64)
        units = np.asarray(_held(file, "spikes/units", recording.path)[recording.at], np.int64)
    if len(times) != len(units):
        raise DataError(f"{len(times)} times for {len(units)} units")
    order = np.argsort(times, kind="stable")
    t: NDArray[np.float64] = times[order] * MICROSECONDS
    zeros = np.zeros(len(t), np.int64)
    return Events(t, units[order], zeros, zeros)


def _opened(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path} is no HDF5 file: {str(error).splitlines()[0]}") from error


def _held(file: Any, key: str, path: Path) -> Any:
    if key not in file:
        raise DataError(f"{path} has no {key}; it is not a file of SHD")
    return file[key]
