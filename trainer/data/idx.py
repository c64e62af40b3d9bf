"""Read the IDX files of the MNIST family: a magic number, the sizes of the axes, then bytes."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

UNSIGNED_BYTES = 0x08
LARGEST = 1 << 31  # bytes; no file of this family comes near


def read(path: Path, axes: int) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes with so many axes, packed (.gz) or not.

    DataError for any other file, and for one that is too short or too long.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4 + 4 * axes)
            shape = _shape(path, head, axes)
            body = file.read(math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); get the file again") from error
    if len(body) != math.prod(shape):
        much = "more" if len(body) > math.prod(shape) else f"{len(body)}"
        raise DataError(
            f"{path} announces {math.prod(shape)} bytes of data ({list(shape)}) "
            f"and holds {much}; get the file again"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def _shape(path: Path, head: bytes, axes: int) -> tuple[int, ...]:
    if len(head) < 4 + 4 * axes:
        raise DataError(f"{path} ends after {len(head)} bytes, in its header; get the file again")
    magic, *shape = struct.unpack(f">I{axes}I", head)
    wanted = UNSIGNED_BYTES << 8 | axes
    if magic != wanted:
        raise DataError(
            f"{path} begins with {magic:#010x}; an IDX file of {axes} axes of bytes begins "
            f"with {wanted:#010x}"
        )
    if math.prod(shape) > LARGEST:
        raise DataError(f"{path} announces {list(shape)} bytes, over the limit of {LARGEST}")
    return tuple(shape)
