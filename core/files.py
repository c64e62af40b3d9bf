"""Files are written whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room, for one reason or another


def on_disk(path: Path) -> None:
    """Wait until what was written to a file is where a power cut leaves it."""
    with path.open("rb") as done:
        os.fsync(done.fileno())


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """A path to write to; it takes the place of `path` only when the block ends well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        on_disk(part)
        mask = os.umask(0)
        os.umask(mask)
        part.chmod(0o666 & ~mask)
        part.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say what did not fit
        raise
    finally:
        part.unlink(missing_ok=True)
