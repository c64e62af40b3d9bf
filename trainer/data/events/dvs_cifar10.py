"""DVS-CIFAR10 (Li et al. 2017): 10,000 images of CIFAR-10 before an event camera, 128 x 128.

A folder each class with AEDAT 2.0 files: lines that begin with '#', then events of two big-endian
32-bit words, address and time in microseconds. In an address, as jAER's DVS128 has it, bit 15 is
set where it is no event of a pixel, bits 8 to 14 are y from the bottom, bits 1 to 7 x from the
right, and bit 0 is 0 for brighter. There is no official split: the last tenth of each class, by
number, is for testing, and a tenth of the rest for validation.
"""

import re
from pathlib import Path

import numpy as np

from ....core.errors import DataError
from ....core.settings import Data
from ...encoders.events import Events
from ..lazy import Lazy
from ..places import found
from .source import Frames, Recording, lazy

NAME = "dvs-cifar10"
SENSOR = (2, 128, 128)
CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
MAGIC = b"#!AER-DAT2.0"
LAST = 127
NO_PIXEL = 0x8000
TENTH = 10


def load(settings: Data) -> Lazy:
    """DataError if a class has no file."""
    get = "Get the ten class folders of DVS-CIFAR10 (.aedat)"
    inside = ("", "dvs-cifar10", "DVS-CIFAR10", "CIFAR10DVS")
    place = found(NAME, settings.folder, inside, CLASSES, get)
    made: list[Recording] = []
    splits: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for label, name in enumerate(CLASSES):
        files = sorted((place / name).glob("*.aedat"), key=_number)
        if len(files) < 3:
            raise DataError(f"{place / name} holds {len(files)} .aedat files; three are the least")
        held = max(1, len(files) // TENTH)
        first = len(made)
        rest = len(files) - held
        ends = first + rest - max(1, rest // TENTH), first + rest, first + len(files)
        splits["train"] += range(first, ends[0])
        splits["validation"] += range(ends[0], ends[1])
        splits["test"] += range(ends[1], ends[2])
        made += [Recording(file, label) for file in files]
    indices = {split: np.array(listed, np.int64) for split, listed in splits.items()}
    frames = Frames(NAME, made, decode, SENSOR, settings.events, settings.cache)
    return lazy(frames, indices, len(CLASSES), settings)


def _number(path: Path) -> tuple[int, str]:
    """Files in the order of their numbers, not of their digits."""
    told = re.findall(r"\d+", path.stem)
    return (int(told[-1]) if told else 0), path.name


def decode(recording: Recording) -> Events:
    """The events of a file."""
    content = recording.path.read_bytes()
    if not content.startswith(MAGIC):
        raise DataError(f"does not begin with {MAGIC.decode()}; AEDAT 2.0 is meant")
    start = 0
    while content[start : start + 1] == b"#":
        end = content.find(b"\n", start)
        if end < 0:
            raise DataError("its header has no end; it is cut off")
        start = end + 1
    body = content[start:]
    if len(body) % 8:
        raise DataError(f"{len(body)} bytes after the header are no whole events of 8; cut off")
    address, t = np.frombuffer(body, ">u4").astype(np.int64).reshape(-1, 2).T
    pixels = address & NO_PIXEL == 0
    address, t = address[pixels], t[pixels]
    order = np.argsort(t, kind="stable")
    address, t = address[order], t[order]
    x, y = LAST - (address >> 1 & LAST), LAST - (address >> 8 & LAST)
    return Events(t - t[:1].sum(), x, y, 1 - (address & 1))
