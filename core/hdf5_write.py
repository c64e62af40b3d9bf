"""A .nir file with the layout of nir's own writer, in a fraction of its time.

nir compresses every array with gzip at its usual level, one after the other. Trained weights
hold hardly anything that gzip can find, and it looks for it at length: ResNet-19 took longer to
write than to run. Here the bytes of numbers are sorted by their place first (HDF5's shuffle), runs
and frequent bytes alone are looked for, noise is left as it is, and chunks are packed side by
side. Any HDF5 reader undoes it, and the file is smaller.

The file is made in memory and written in one go: HDF5's library does not survive a disk that is
full.
"""

import os
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .arrays import Numbers

CHUNK = 1 << 20  # bytes; about
SMALL = 1 << 10  # an array below it is left as it is
SAMPLE = 4096  # bytes that are looked at to know whether packing is worth while
ZLIB = b"\x78\x01"  # the head of a stream; its deflate follows, then adler32
AHEAD = 4  # chunks a worker may be ahead of the file, so that memory stays small


def write(path: Path, version: str, node: Mapping[str, Any]) -> None:
    """A file of a graph as nir's to_dict() gives it. version: of nir's format."""
    held = BytesIO()
    with h5py.File(held, "w") as file, ThreadPoolExecutor(os.cpu_count()) as workers:
        file.create_dataset("version", data=version, dtype=h5py.string_dtype())
        fill(file.create_group("node"), node, workers)
    path.write_bytes(held.getbuffer())


def fill(group: Any, members: Mapping[str, Any], workers: ThreadPoolExecutor) -> None:
    """Everything of a node, its fields and the nodes in it; metadata only where there is some."""
    for name, value in members.items():
        if isinstance(value, Mapping):
            if value or name != "metadata":
                fill(group.create_group(str(name)), value, workers)
        elif isinstance(value, str):
            group.create_dataset(name, data=value, dtype=h5py.string_dtype())
        elif isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.nbytes > SMALL:
            packed(group, name, value, workers)
        else:
            group.create_dataset(name, data=value)


def packed(group: Any, name: str, values: Numbers, workers: ThreadPoolExecutor) -> None:
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
    waiting: list[tuple[int, Any]] = []
    for start, part in chunks(values, rows):
        waiting.append((start, workers.submit(squeezed, part)))
        if len(waiting) >= AHEAD:
            put(made, *waiting.pop(0))
    for start, done in waiting:
        put(made, start, done)


def put(made: Any, start: int, done: Any) -> None:
    """One packed chunk at its place."""
    made.id.write_direct_chunk((start, *(0,) * (len(made.shape) - 1)), done.result())


def chunks(values: Numbers, rows: int) -> Iterator[tuple[int, Numbers]]:
    """(first row, its rows); a chunk is always whole, so the last one is filled up with zeros."""
    for start in range(0, len(values), rows):
        part = values[start : start + rows]
        if len(part) < rows:
            part = np.concatenate([part, np.zeros((rows - len(part), *part.shape[1:]), part.dtype)])
        yield start, part


def squeezed(part: Numbers) -> bytes:
    """HDF5's shuffle and deflate of a chunk: the first bytes of all numbers, the second ... Bytes
    that look like noise, as those of a mantissa do, are stored as they are."""
    size = part.dtype.itemsize
    planes = np.ascontiguousarray(part.reshape(-1).view(np.uint8).reshape(-1, size).T)
    found = [ZLIB]
    for number, plane in enumerate(planes, 1):
        deflate = zlib.compressobj(0 if noise(plane) else 1, zlib.DEFLATED, -15, 9, zlib.Z_RLE)
        # each stream ends with a whole byte and looks back no further than its own beginning
        end = zlib.Z_FINISH if number == size else zlib.Z_SYNC_FLUSH
        found += [deflate.compress(plane), deflate.flush(end)]
    return b"".join((*found, zlib.adler32(planes.data).to_bytes(4, "big")))


def noise(plane: Numbers) -> bool:
    """Whether no byte of the sample is much more frequent than another."""
    sample = plane[:: max(len(plane) // SAMPLE, 1)][:SAMPLE]
    return bool(np.bincount(sample, minlength=256).max() < len(sample) / 32)
