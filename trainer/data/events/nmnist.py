"""N-MNIST (Orchard et al. 2015): 60,000 + 10,000 digits before a moving event camera, 34 x 34.

Train/0 ... 9 and Test/0 ... 9 hold a file each recording; an event is five bytes:

    x, y, then p (1 bit) and t in microseconds (23 bits), the high byte first
"""

from pathlib import Path

import numpy as np

from ....core.errors import DataError
from ....core.settings import Data
from ...encoders.events import Events
from ..lazy import Lazy
from ..places import found
from ..splits import stratified
from .source import Frames, Recording, lazy

NAME = "n-mnist"
SENSOR = (2, 34, 34)
BYTES = 5
CLASSES = 10
TENTH = 10  # of the training recordings are for validation


def load(settings: Data) -> Lazy:
    """A tenth of the training recordings, each class in proportion, is for validation.
    DataError if a folder is missing or empty."""
    get = "Get Train.zip and Test.zip of N-MNIST and unpack them beside each other"
    place = found(
        NAME, settings.folder, ("", "n-mnist", "N-MNIST", "NMNIST"), ("Train", "Test"), get
    )
    train, test = (recordings(place / half) for half in ("Train", "Test"))
    labels = np.array([recording.label for recording in train], np.int64)
    held = len(train) // TENTH
    splits = stratified(labels, {"train": len(train) - held, "validation": held})
    splits["test"] = np.arange(len(train), len(train) + len(test))
    frames = Frames(NAME, [*train, *test], decode, SENSOR, settings.events, settings.cache)
    return lazy(frames, splits, CLASSES, settings)


def recordings(folder: Path) -> list[Recording]:
    """All of a half, class by class."""
    made = []
    for label in range(CLASSES):
        files = sorted((folder / str(label)).glob("*.bin"))
        if not files:
            raise DataError(f"{folder / str(label)} holds no .bin file")
        made += [Recording(file, label) for file in files]
    return made


def decode(recording: Recording) -> Events:
    """The events of a file."""
    content = np.fromfile(recording.path, np.uint8)
    if len(content) % BYTES:
        raise DataError(f"{len(content)} bytes are no whole events of {BYTES}; it is cut off")
    x, y, high, middle, low = content.reshape(-1, BYTES).astype(np.int64).T
    t = (high & 127) << 16 | middle << 8 | low
    return Events(t, x, y, high >> 7)
