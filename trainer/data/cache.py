"""Samples that were decoded, kept on disk: one file each, written whole or not at all.

Several processes may fill one folder; who comes second writes the same bytes. Whole numbers up
to 255 are kept in a byte.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

Frames = NDArray[np.float32]


class Cache:
    """In `folder`, for one way of decoding. about: all that bears on the numbers."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        text = json.dumps(about, sort_keys=True)
        self.folder = folder / hashlib.sha256(text.encode()).hexdigest()[:16]

    def get(self, key: str, made: Callable[[], Frames]) -> Frames:
        """What is kept under a key, or what `made` makes, which is kept then. DataError if there
        is no room, or a file was damaged."""
        path = self.folder / f"{key}.npy"
        try:
            found: NDArray[np.generic] = np.load(path)
            return found.astype(np.float32)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (ValueError, EOFError, OSError) as error:
            raise DataError(f"{path} cannot be read ({error}); delete it, it is a cache") from error
        frames = made()
        self._put(path, frames)
        return frames

    def _put(self, path: Path, frames: Frames) -> None:
        small = frames.astype(np.uint8)
        kept = small if (small == frames).all() else frames
        part = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                part = file.name
                np.save(file, kept)
            os.replace(part, path)
        except OSError as error:
            if part:
                Path(part).unlink(missing_ok=True)
            raise DataError(
                f"data.cache: cannot keep {path}: {error.strerror or error}; make room, or name "
                "another folder, or none"
            ) from error


def identity(path: Path) -> str:
    """A file as it is now: its name, size and time of change."""
    told = path.stat()
    return f"{path.parent.name}/{path.name} {told.st_size} {told.st_mtime_ns}"
