"""Where data sets lie: the folder that is named, or the usual ones."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core.errors import DataError


def cache() -> Path:
    """The user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def folders(folder: str, inside: Iterable[str]) -> list[Path]:
    """The folders that are looked in, in order; inside: names within a folder of data sets.

    With `folder` there and nowhere else; else in SPIKEPORT_DATA, caches and data folders."""
    if folder:
        return [Path(folder, name) for name in inside]
    own = os.environ.get("SPIKEPORT_DATA")
    bases = [*([Path(own)] if own else []), cache() / "spikeport", cache() / "torchvision"]
    bases += [Path("data"), Path.home() / "data"]
    return [base / name for base in bases for name in inside]


def found(name: str, folder: str, inside: Sequence[str], files: Sequence[str], get: str) -> Path:
    """The first folder that holds all of `files`. DataError saying where was looked, and `get`."""
    places = folders(folder, inside)
    here = (p for p in places if p.is_dir() and all((p / file).exists() for file in files))
    place = next(here, None)
    if place is None:
        what = f"folder with {', '.join(files)}" if files else "folder"
        looked = ", ".join(map(str, places))
        raise DataError(
            f"{name} is not here: no {what} among {looked}. {get}, and "
            "name its folder (data.folder, or SPIKEPORT_DATA in the environment)"
        )
    return place
