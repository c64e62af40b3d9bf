"""The folder of a run: whose it is, and what it was begun with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError, TrainingError
from ..core.files import FULL, written_whole
from ..core.settings import TrainConfig

RESULTS = ("last.ckpt", "best.ckpt", "metrics.json")


def claim(config: TrainConfig, out: Path, resume: bool) -> None:
    """Make the folder this run's. ConfigError if it holds a run and none is to be resumed, if
    the run it holds was begun with other settings, or if it cannot be written to."""
    there = [name for name in RESULTS if (out / name).exists()]
    if there and not resume:
        raise ConfigError(
            f"{out} already holds a run ({', '.join(there)}); choose another folder, or resume it"
        )
    try:
        write_text(out / "config.toml", config.to_toml())
    except OSError as error:
        raise ConfigError(f"cannot write to {out}: {error}; choose another folder") from error


def check_same(out: Path, then: TrainConfig, now: TrainConfig) -> None:
    """ConfigError if a run was begun with other settings than it is to go on with; where and
    how it is computed may change."""
    before, after = (flat(c.model_dump(exclude={"run"}), "") for c in (then, now))
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            raise ConfigError(
                f"{out} was begun with {key} = {before.get(key)!r}, not {after.get(key)!r}; "
                "resume with the same settings, or begin in another folder"
            )


def flat(table: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Every value by its dotted key."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        inner = flat(value, f"{prefix}{name}.") if isinstance(value, dict) else None
        found |= {f"{prefix}{name}": value} if inner is None else inner
    return found


@contextmanager
def room(out: Path) -> Iterator[None]:
    """TrainingError where there is no room for a file of the block, logs included."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        last = out / "last.ckpt"
        left = f"{last} is that of the last whole epoch" if last.exists() else "no checkpoint yet"
        raise TrainingError(
            f"{error.filename or f'a log in {out}'} cannot be written: {error.strerror}; {left}. "
            "Make room and resume"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
