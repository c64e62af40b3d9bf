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
        labels = np.asarray(_held(file, "labels", path)[()])
        counts = {}
        for key, kinds in (("spikes/times", "f"), ("spikes/units", "ui")):
            held = _held(file, key, path)
            counts[key] = len(held)
            _check_kind(held, f"{path}: {key}", kinds)
    if labels.ndim != 1:
        raise DataError(f"{path}: labels have shape {list(labels.shape)}; [recordings] is meant")
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
    if not np.isfinite(times).all() or (times < 0).any():
        wrong = times[~(np.isfinite(times) & (times >= 0))]
        raise DataError(f"{len(wrong)} of {len(times)} times are such as {wrong[0]:g}; 0 and above")
    order = np.argsort(times, kind="stable")
    t: NDArray[np.float64] = times[order] * MICROSECONDS
    zeros = np.zeros(len(t), np.int64)
    return Events(t, units[order], zeros, zeros)


def _opened(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(
            f"{path} is no HDF5 file: {str(error).splitlines()[0]}; unpack it, or get it again"
        ) from error


def _held(file: Any, key: str, path: Path) -> Any:
    import h5py

    try:
        held = file[key]
    except (KeyError, RuntimeError, OSError) as error:  # the last two where it is damaged
        raise DataError(f"{path} has no {key}; it is not a file of SHD") from error
    if not isinstance(held, h5py.Dataset) or not (key == "labels" or held.ndim == 1):
        raise DataError(f"{path}: {key} is no array [recordings]; it is not a file of SHD")
    return held


def _check_kind(held: Any, name: str, kinds: str) -> None:
    """DataError unless an array holds arrays of a kind of numbers, one each recording."""
    import h5py

    inside = h5py.check_vlen_dtype(held.dtype)
    if inside is None or np.dtype(inside).kind not in kinds:
        what = "times in seconds" if kinds == "f" else "whole numbers of units"
        raise DataError(
            f"{name} holds {held.dtype if inside is None else inside}; {what} are meant"
        )
