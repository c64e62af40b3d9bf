"""Fetch a file whole and as it should be, or not at all."""

import gzip
import hashlib
import shutil
import urllib.request
import zlib
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from ...core.errors import DataError
from ...core.files import written_whole

TIMEOUT = 60.0  # seconds without a byte


def fetch_gz(sources: Sequence[str], path: Path, sha256: str) -> None:
    """Download a .gz from the first source that has it; sha256 is that of the unpacked content.

    DataError if no source gives the right content; `path` is then not written.
    """
    failures = []
    for source in sources:
        try:
            with written_whole(path) as part:
                with urllib.request.urlopen(source, timeout=TIMEOUT) as reply:
                    with part.open("wb") as file:
                        shutil.copyfileobj(reply, file)
                _check(part, sha256)
            return
        except (OSError, HTTPException, EOFError, zlib.error, ValueError) as error:
            failures.append(f"{source}: {error}")
    raise DataError(f"{path.name} could not be downloaded: {'; '.join(failures)}")


def _check(part: Path, sha256: str) -> None:
    """DataError unless the unpacked content is the right one."""
    found = hashlib.sha256()
    with gzip.open(part) as file:
        while block := file.read(1 << 20):
            found.update(block)
    if found.hexdigest() != sha256:
        raise DataError(f"its content has sha256 {found.hexdigest()}, not {sha256}")
