"""A .nir file with the layout of nir's own writer, in a fraction of its time.

nir compresses every array with gzip at its usual level, one after the other. Trained weights
hold hardly anything that gzip can find, and it looks for it at length: ResNet-19 took longer to
write than to run. Here an array whose bytes look like noise is written as it is. Of any other the
bytes of numbers are sorted by their place first (HDF5's shuffle), runs and frequent bytes alone
are looked for, and chunks are packed side by side. Any HDF5 reader undoes it.

Large arrays go from where they are to the disk, with no copy in between; see `hdf5_disk`.
"""

import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .arrays import Numbers
from .hdf5_disk import Disk
from .threads import over

CHUNK = 1 << 20  # bytes; about
SMALL = 1 << 10  # an array below it is left as it is
SAMPLE = 4096  # bytes, or numbers, that are looked at to know whether packing is worth while
RUNS = 0.9  # of a sample: from here on its most frequent byte stands in runs
WORTH = 0.8  # of its size: what a code must bring bytes down to
ZLIB = b"\x78\x01"  # the head of a stream; its deflate follows, then adler32
BLOCK = 0xFFFF  # bytes that deflate stores as they are at once
LAST = b"\x03\x00"  # a deflate of nothing, which ends a stream
AHEAD = 4  # chunks the workers may be ahead of the file, so that memory stays small


def write(path: Path, version: str, node: Mapping[str, Any]) -> None:
    """A file of a graph as nir's to_dict() gives it. version: of nir's format."""
    with Disk(path) as disk:
        with ThreadPoolExecutor(1) as alone:  # no Ctrl-C comes up in another thread
            work = alone.submit(written, disk, version, node)
            # the library never comes back from a file that ends under it
            over((work,))
            work.result()
        if disk.failed is not None:
            raise disk.failed


def written(disk: Disk, version: str, node: Mapping[str, Any]) -> None:
    """What `write` does, on a disk that cannot be full."""
    with h5py.File(disk, "w") as file, ThreadPoolExecutor(os.cpu_count()) as workers:
        file.create_dataset("version", data=version, dtype=h5py.string_dtype())
        packer = Packer(workers)
        fill(file.create_group("node"), node, packer)
        packer.finish()


class Packer:
    """Packs large arrays, chunks of one and of the next side by side."""

    def __init__(self, workers: ThreadPoolExecutor) -> None:
        self.workers = workers
        self.waiting: deque[tuple[Any, tuple[int, ...], Future[bytes]]] = deque()

    def add(self, group: Any, name: str, values: Numbers) -> None:
        """A large array in chunks of whole rows of its first axis."""
        row = max(values[:1].nbytes, 1)
        rows = min(max(CHUNK // row, 1), len(values))
        made = group.create_dataset(
            name,
            values.shape,
            values.dtype,
            chunks=(rows, *values.shape[1:]),
            compression="gzip",
            shuffle=True,
        )
        rest = (0,) * (values.ndim - 1)
        for start, part in chunks(values, rows):
            self.waiting.append((made.id, (start, *rest), self.workers.submit(squeezed, part)))
            if len(self.waiting) >= AHEAD:
                self.put()

    def put(self) -> None:
        """The oldest chunk at its place."""
        made, place, done = self.waiting.popleft()
        made.write_direct_chunk(place, done.result())

    def finish(self) -> None:
        """All that is left."""
        while self.waiting:
            self.put()


def fill(group: Any, members: Mapping[str, Any], packer: Packer) -> None:
    """Everything of a node, its fields and the nodes in it; metadata only where there is some."""
    for name, value in members.items():
        if isinstance(value, Mapping):
            if value or name != "metadata":
                fill(group.create_group(str(name)), value, packer)
        elif isinstance(value, str):
            group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        elif isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and worth(value):
            packer.add(group, name, value)
        else:
            group.create_dataset(name, data=value)


def worth(values: Numbers) -> bool:
    """Whether packing brings an array down far enough, by a sample of its numbers."""
    if values.nbytes <= SMALL:
        return False
    flat = values.reshape(-1)
    sample = planes(np.ascontiguousarray(flat[:: max(len(flat) // SAMPLE, 1)][:SAMPLE]))
    return float(np.mean([bits(plane) for plane in sample])) < 8 * WORTH


def chunks(values: Numbers, rows: int) -> Iterator[tuple[int, Numbers]]:
    """(first row, its rows); a chunk is always whole, so the last one is filled up with zeros."""
    for start in range(0, len(values), rows):
        part = values[start : start + rows]
        if len(part) < rows:
            part = np.concatenate([part, np.zeros((rows - len(part), *part.shape[1:]), part.dtype)])
        yield start, part


def squeezed(part: Numbers) -> bytes:
    """HDF5's shuffle and deflate of a chunk, found once for one number written many times, as the
    numbers of neurons are."""
    numbers = part.reshape(-1).view(f"u{part.dtype.itemsize}")
    if numbers[0] == numbers[-1] and bool((numbers == numbers[0]).all()):
        return repeated(numbers[:1].tobytes(), len(numbers))
    return deflated(numbers)


@lru_cache(64)
def repeated(number: bytes, times: int) -> bytes:
    """A chunk of one number."""
    return deflated(np.full(times, np.frombuffer(number, f"u{len(number)}")[0]))


def deflated(numbers: Numbers) -> bytes:
    """The first bytes of all numbers, the second ... Those that look like noise, as the bytes of a
    mantissa do, are stored as they are."""
    sorted_ = planes(numbers)
    found: list[Any] = [ZLIB]
    for how, alike in groupby(sorted_, strategy):
        if how is None:
            for plane in alike:
                found += stored(plane)
            continue
        deflate = zlib.compressobj(1, zlib.DEFLATED, -15, 9, how)
        found += [deflate.compress(plane) for plane in alike]
        found.append(deflate.flush(zlib.Z_SYNC_FLUSH))  # it ends with a whole byte
    return b"".join((*found, LAST, zlib.adler32(sorted_.data).to_bytes(4, "big")))


def planes(numbers: Numbers) -> Numbers:
    """[N] -> their bytes by place, [bytes of a number, N]."""
    return np.ascontiguousarray(numbers.view(np.uint8).reshape(len(numbers), -1).T)


def stored(plane: Numbers) -> Iterator[Any]:
    """Deflate's blocks of bytes as they are: what zlib's level 0 gives, without its copies."""
    for start in range(0, len(plane), BLOCK):
        block = plane[start : start + BLOCK]
        yield struct.pack("<BHH", 0, len(block), len(block) ^ BLOCK)
        yield block.data


def strategy(plane: Numbers) -> int | None:
    """What zlib looks for, by a sample: runs where hardly any byte is another, else frequent bytes;
    None where the shortest code for them would save too little."""
    sample = plane[:: max(len(plane) // SAMPLE, 1)][:SAMPLE]
    if np.bincount(sample).max() > RUNS * len(sample):
        return zlib.Z_RLE
    return zlib.Z_HUFFMAN_ONLY if bits(sample) < 8 * WORTH else None


def bits(sample: Numbers) -> float:
    """What a byte comes to in the shortest code for such bytes."""
    counts = np.bincount(sample)
    counts = counts[counts > 0]
    return float(np.log2(len(sample)) - counts @ np.log2(counts) / len(sample))
