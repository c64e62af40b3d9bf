"""Mutations of a file's bytes, as damage on the way makes them, or somebody who means harm."""

from collections.abc import Callable
from typing import Any

Bytes = Callable[[Any, bytearray], None]  # (random generator, contents) -> changed in place
WORDS = (0, 1, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
SIGNATURES = (b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"FRHP", b"BTHD", b"\x89HDF")


def place(random: Any, data: bytearray, size: int = 1) -> int:
    """Somewhere in the file; every other time close to one of HDF5's own structures."""
    if random.random() < 0.5:
        starts = [i for word in SIGNATURES for i in found(data, word)]
        if starts:
            start = starts[int(random.integers(len(starts)))] + int(random.integers(0, 48))
            return max(min(start, len(data) - size), 0)
    return int(random.integers(0, max(len(data) - size, 1)))


def found(data: bytearray, word: bytes) -> list[int]:
    """Where a word stands."""
    at, start = [], data.find(word)
    while start >= 0:
        at.append(start)
        start = data.find(word, start + 1)
    return at


def flip(random: Any, data: bytearray) -> None:
    for _ in range(int(random.integers(1, 17))):
        data[place(random, data)] ^= 1 << int(random.integers(8))


def replace(random: Any, data: bytearray) -> None:
    for _ in range(int(random.integers(1, 9))):
        data[place(random, data)] = int(random.integers(256))


def run_of_one(random: Any, data: bytearray) -> None:
    size = int(random.integers(1, 200))
    start = place(random, data, size)
    data[start : start + size] = bytes([(0, 255)[random.integers(2)]]) * size


def word(random: Any, data: bytearray) -> None:
    """A length, an address or a count becomes a telling number."""
    size = int(random.choice([1, 2, 4, 8]))
    number = WORDS[random.integers(len(WORDS))] & ((1 << 8 * size) - 1)
    start = place(random, data, size)
    data[start : start + size] = number.to_bytes(size, "little")


def truncate(random: Any, data: bytearray) -> None:
    del data[int(random.integers(0, len(data))) :]


def drop(random: Any, data: bytearray) -> None:
    start = place(random, data)
    del data[start : start + int(random.integers(1, 64))]


def insert(random: Any, data: bytearray) -> None:
    start = place(random, data)
    data[start:start] = random.bytes(int(random.integers(1, 64)))


def copy_over(random: Any, data: bytearray) -> None:
    """One part of the file over another: trees that hold themselves, blocks with two owners."""
    size = int(random.choice([8, 24, 64, 328, 544]))
    source, target = place(random, data, size), place(random, data, size)
    data[target : target + size] = data[source : source + size]


def extend(random: Any, data: bytearray) -> None:
    data += random.bytes(int(random.integers(1, 4096)))


BYTES: tuple[Bytes, ...] = (
    flip, replace, run_of_one, word, truncate, drop, insert, copy_over, extend,
)  # fmt: skip
