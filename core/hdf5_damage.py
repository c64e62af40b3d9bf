"""What HDF5's own library does not survive in a damaged file, looked for before it opens one.

The library checks most of what it reads. What the fuzzer found beside that is refused here: a
heap of texts with an entry that takes no room, over which the library walks for ever.
"""

import mmap
from pathlib import Path

from .errors import NetworkError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
HEAP = b"GCOL\x01"  # a global heap: its signature and version
HEADER = 16  # bytes before a heap's entries, and before an entry's contents
MAX_TEXTS = 500_000  # five for each edge that may be
SIZES = {0: 13, 1: 13, 2: 9, 3: 9}  # version of the superblock -> where the sizes stand


def check(path: Path, kind: str) -> None:
    """NetworkError if the file is none of HDF5's, or would hang the library. kind: what it is
    meant to be."""
    with path.open("rb") as file:
        what = strange(file.read(16))
        if what is None:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                what = damaged(data)
    if what is not None:
        raise NetworkError(f"not a readable {kind} (HDF5) file: {what}")


def strange(head: bytes) -> str | None:
    """What is wrong with the first bytes of the file."""
    if not head.startswith(SIGNATURE) or len(head) < 16:
        return "it does not begin as one does"
    if head[8] not in SIZES:
        return f"its superblock is of version {head[8]}; 0 to 3 can be read"
    at = SIZES[head[8]]
    return None if head[at : at + 2] == b"\x08\x08" else "its addresses are not of 8 bytes"


def damaged(data: mmap.mmap) -> str | None:
    """What would hang the library."""
    start, texts = data.find(HEAP), 0
    while start >= 0:
        found = entries(data, start)
        if found is None:
            return f"the heap of texts at byte {start} is damaged"
        texts += found
        if texts > MAX_TEXTS:
            return f"it holds over {MAX_TEXTS} texts"
        start = data.find(HEAP, start + 1)
    return None


def entries(data: mmap.mmap, start: int) -> int | None:
    """Entries of the heap, up to where the library refuses it; None if a walk over them would not
    come to an end."""
    end = start + number(data, start + 8)
    at, count = start + HEADER, 0
    while at + HEADER <= end <= len(data) and count <= MAX_TEXTS:
        index, size = int.from_bytes(data[at : at + 2], "little"), number(data, at + 8)
        step = HEADER + (size + 7) // 8 * 8 if index else size  # entry 0 is the room that is left
        if step < HEADER or step >= 1 << 63:  # it stands still, or its sum may turn over
            return None
        at, count = at + step, count + 1
    return count


def number(data: mmap.mmap, at: int) -> int:
    """A length of 8 bytes."""
    return int.from_bytes(data[at : at + 8], "little")
