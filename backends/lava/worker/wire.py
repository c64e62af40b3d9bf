"""Framed messages: magic, lengths, a JSON header, then raw arrays. No pickle."""

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"SPK1"
LIMIT = 1 << 36  # bytes of one frame: a stray length must not ask for all memory
START = struct.Struct("<4sQQ")  # magic, bytes of the header, bytes of header and arrays
Array = NDArray[Any]
Message = tuple[dict[str, Any], dict[str, Array]]


class WireError(Exception):
    """The stream does not hold a frame of ours."""


def pack(head: Mapping[str, Any], arrays: Mapping[str, Array]) -> list[memoryview]:
    """One frame, as pieces to be written one after the other; the arrays are not copied."""
    ready = {name: np.asarray(a, order="C") for name, a in arrays.items()}
    table = [[name, a.dtype.str, list(a.shape)] for name, a in ready.items()]
    text = json.dumps({"head": dict(head), "arrays": table}).encode()
    total = len(text) + sum(a.nbytes for a in ready.values())
    if total > LIMIT:
        raise WireError(f"a frame of {total} bytes: over the limit {LIMIT}")
    full = [a for a in ready.values() if a.nbytes]
    first = START.pack(MAGIC, len(text), total) + text
    return [memoryview(first), *(a.reshape(-1).view(np.uint8).data for a in full)]


def unpack(read: Callable[[int], bytes | bytearray]) -> Message:
    """Read one frame through `read(n)`, which returns exactly n bytes or raises EOFError."""
    start = bytes(read(START.size))
    magic, length, total = START.unpack(start)
    if magic != MAGIC:
        raise WireError(f"not a frame: {start!r}")
    if not length <= total <= LIMIT:
        raise WireError(f"frame of {total} bytes with a header of {length}: over the limit {LIMIT}")
    body = memoryview(read(total))
    told = json.loads(bytes(body[:length]))
    arrays: dict[str, Array] = {}
    for name, dtype, shape in told["arrays"]:
        kind = np.dtype(dtype)
        if kind.hasobject:
            raise WireError(f"array {name} has dtype {dtype}: only plain numbers travel")
        size = kind.itemsize * int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(body[length : length + size], kind).reshape(shape)
        length += size
    return told["head"], arrays
