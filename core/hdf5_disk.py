"""A file for HDF5's library to write, on a disk that may be full.

The library does not survive a write that fails. Here none does: what the disk does not take is kept
in memory, and the failure is there to be raised once the library is done.
"""

import io
from pathlib import Path
from typing import Any


class Disk(io.RawIOBase):
    """A file that seems to take whatever it is given. failed: what the disk said, if anything.

    Not to be written to from the main thread: Ctrl-C would come up in the middle of the library.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("w+b", buffering=0)
        self.at = 0
        self.size = 0
        self.failed: OSError | None = None
        self.kept: list[tuple[int, bytes]] = []  # (its place, what did not reach the disk)

    def write(self, data: Any, /) -> int:
        """All of it, at the place that was sought."""
        given = memoryview(data).cast("B")
        left = given
        try:
            self.file.seek(self.at)
            while len(left) and self.failed is None:
                left = left[self.file.write(left) :]
        except OSError as error:
            self.failed = error
        if len(left):
            self.kept.append((self.at + len(given) - len(left), bytes(left)))
        self.at += len(given)
        self.size = max(self.size, self.at)
        return len(given)

    def readinto(self, buffer: Any, /) -> int:
        """What was written, wherever it is."""
        whole = memoryview(buffer).cast("B")
        wanted = whole[: max(self.size - self.at, 0)]
        self.file.seek(self.at)
        found = self.file.readinto(wanted) if len(wanted) else 0
        wanted[found:] = bytes(len(wanted) - found)
        for start, piece in self.kept:
            first, last = max(start, self.at), min(start + len(piece), self.at + len(wanted))
            if first < last:
                wanted[first - self.at : last - self.at] = piece[first - start : last - start]
        self.at += len(wanted)
        return len(wanted)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """As of any file."""
        self.at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.size}[whence]
        return self.at

    def tell(self) -> int:
        """The place."""
        return self.at

    def truncate(self, size: int | None = None, /) -> int:
        """Cut or filled up with zeros."""
        self.size = self.at if size is None else size
        if self.failed is None:
            try:
                self.file.truncate(self.size)
            except OSError as error:
                self.failed = error
        return self.size

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Nothing more is written."""
        if not self.closed:
            self.file.close()
        super().close()
