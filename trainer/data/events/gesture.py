"""DVS128 Gesture (Amir et al. 2017): 11 gestures of 29 people before an event camera, 128 x 128.

AEDAT 3.1 files of several gestures each; NAME_labels.csv has (class, start, end) of each in
microseconds, trials_to_train.txt and trials_to_test.txt the files of each half. After a header of
lines that begin with '#', packets of 28 bytes of header (type, source; size, time offset, time
overflow, capacity, number, valid: little-endian, two 16-bit words, then six of 32 bits), then
`number` events of `size` bytes. Polarity events (type 1) are two words:

    data: bit 0 valid, bit 1 polarity, bits 2 to 16 y, bits 17 to 31 x        time, 31 bits

Of the training people the last eighth is for validation, at least one.
"""

import csv
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ....core.errors import DataError
from ....core.settings import Data
from ...encoders.events import Events
from ..lazy import Lazy
from ..places import found
from .source import Frames, Recording, lazy

NAME = "dvs128-gesture"
SENSOR = (2, 128, 128)
CLASSES = 11
MAGIC = b"#!AER-DAT3.1"
END = b"#!END-HEADER"
HEADER = struct.Struct("<hhiiiiii")
POLARITY, BYTES = 1, 8
EIGHTH = 8
LISTS = ("trials_to_train.txt", "trials_to_test.txt")


class Span(NamedTuple):
    """Of a gesture, microseconds on the recording's clock."""

    start: int
    end: int


def load(settings: Data) -> Lazy:
    """Samples in the order of the lists. DataError if a file is missing."""
    get = "Get DVS128 Gesture (DvsGesture.tar.gz) and unpack it"
    inside = ("", "DvsGesture", "dvs128-gesture", "DVS128Gesture")
    place = found(NAME, settings.folder, inside, LISTS, get)
    train, test = (trials(place / listed) for listed in LISTS)
    if both := sorted(trial.name for trial in {*train} & {*test}):
        raise DataError(
            f"{place}: {both[0]} stands in both {LISTS[0]} and {LISTS[1]}, and what is reported "
            "must not have been trained on; take it out of one of them"
        )
    people = sorted({_person(trial) for trial in train})
    if len(people) < 2:
        raise DataError(
            f"{place / LISTS[0]} names recordings of {people[0]} only; two people are the least, "
            "since one of them is for validation"
        )
    held = set(people[len(people) - max(1, len(people) // EIGHTH) :])
    made: list[Recording] = []
    splits: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for trial in (*train, *test):
        split = "test" if trial in test else "train"
        if split == "train" and _person(trial) in held:
            split = "validation"
        gestures = labelled(trial)
        splits[split] += range(len(made), len(made) + len(gestures))
        made += gestures
    indices = {split: np.array(listed, np.int64) for split, listed in splits.items()}
    frames = Frames(NAME, made, decode, SENSOR, settings.events, settings.cache)
    return lazy(frames, indices, CLASSES, settings)


def trials(listed: Path) -> list[Path]:
    """The recordings of a half."""
    names = [line.strip() for line in text(listed).splitlines()]
    files = [listed.parent / name for name in names if name]
    if missing := [file for file in files if not file.exists()]:
        raise DataError(f"{listed} names {missing[0].name}, which is not beside it")
    if not files:
        raise DataError(f"{listed} names no recording")
    if twice := [file.name for n, file in enumerate(files) if file in files[:n]]:
        raise DataError(f"{listed} names {twice[0]} more than once; take the others out")
    return files


def _person(trial: Path) -> str:
    return trial.stem.split("_")[0]


def labelled(trial: Path) -> list[Recording]:
    """The gestures of a recording."""
    table = trial.with_name(f"{trial.stem}_labels.csv")
    if not table.exists():
        raise DataError(f"{table.name} is not beside {trial}")
    made = []
    for number, row in enumerate(csv.DictReader(text(table).splitlines()), 2):
        try:
            label, start, end = (
                int(row[key]) for key in ("class", "startTime_usec", "endTime_usec")
            )
        except (KeyError, TypeError, ValueError):
            raise DataError(f"{table}:{number} is not class,startTime_usec,endTime_usec") from None
        if not 1 <= label <= CLASSES:
            raise DataError(f"{table}:{number}: class {label}; 1 to {CLASSES} are meant")
        if start >= end:
            raise DataError(f"{table}:{number}: a gesture from {start} to {end}")
        part = f"gesture-{number - 1}"
        made.append(Recording(trial, label - 1, part, Span(start, end)))
    if not made:
        raise DataError(f"{table} names no gesture; rows of class,startTime_usec,endTime_usec")
    return made


def text(path: Path) -> str:
    """What a list or a table says."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text: {error.reason} at byte {error.start}") from error


def decode(recording: Recording) -> Events:
    """The events of one gesture, from its start."""
    start, end = recording.at
    words, times = polarity_events(recording.path.read_bytes())
    within = (times >= start) & (times < end) & (words & 1 == 1)
    words, times = words[within], times[within]
    return Events(times - start, words >> 17, words >> 2 & 0x7FFF, words >> 1 & 1)


def polarity_events(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(data words, microseconds) of all polarity events of a file, int64."""
    if not content.startswith(MAGIC):
        raise DataError(f"does not begin with {MAGIC.decode()}; AEDAT 3.1 is meant")
    ends = content.find(END)
    at = content.find(b"\n", ends) + 1
    if ends < 0 or not at:
        raise DataError(f"its header has no {END.decode()}; it is cut off")
    words, times = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    while at < len(content):
        if at + HEADER.size > len(content):
            raise DataError(f"byte {at}: a packet's header is cut off")
        kind, _, size, _, overflow, _, number, _ = HEADER.unpack_from(content, at)
        at += HEADER.size
        if size < 1 or number < 0 or at + size * number > len(content):
            raise DataError(f"byte {at}: a packet of {number} events of {size} bytes is cut off")
        if kind == POLARITY:
            if size != BYTES:
                raise DataError(f"byte {at}: polarity events of {size} bytes; {BYTES} are meant")
            pairs = np.frombuffer(content, "<u4", 2 * number, at).astype(np.int64).reshape(-1, 2)
            words.append(pairs[:, 0])
            times.append(pairs[:, 1] + (overflow << 31))
        at += size * number
    return np.concatenate(words), np.concatenate(times)
