"""What all verbs share: how they fail, and the options that they have in common."""

import functools
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from ...core.errors import ConfigError, SpikeportError
from ...core.files import FULL

P = ParamSpec("P")
R = TypeVar("R")

FAILED, INTERRUPTED, TERMINATED = 2, 130, 143
NO_MEMORY = "spikeport: out of memory; take fewer samples or steps at a time"

Out = Annotated[Path, typer.Option(help="what to write")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for machines")]


class Terminated(KeyboardInterrupt):
    """SIGTERM, which cleans up as Ctrl-C does."""


def heed_termination() -> None:
    """Let SIGTERM leave no half-written file, and no process that was begun."""

    def end(*_: Any) -> None:
        raise Terminated

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def verb(does: Callable[P, R]) -> Callable[P, R]:
    """A verb whose failures are one line on stderr and an exit status."""

    @functools.wraps(does)
    def safely(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return does(*args, **kwargs)
        except Terminated:
            say("spikeport: terminated")
            raise typer.Exit(TERMINATED) from None
        except KeyboardInterrupt:
            say("spikeport: interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except SpikeportError as error:
            say(f"spikeport: {error}")
        except BrokenPipeError:
            raise
        except OSError as error:
            told = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
            room = "; make room, or write elsewhere" if error.errno in FULL else ""
            say(f"spikeport: {' '.join(told.split())}{room}")
        except MemoryError:
            say(NO_MEMORY)
        except RuntimeError as error:
            if "allocate memory" not in str(error) and "out of memory" not in str(error):
                raise
            say(NO_MEMORY)  # torch's way to say so
        raise typer.Exit(FAILED)

    return safely


def say(text: str) -> None:
    """To stderr, which is for people."""
    typer.echo(text, err=True)


def tell(facts: Any) -> None:
    """To stdout, for machines."""
    typer.echo(json.dumps(facts, indent=1))


def fresh(path: Path, *read: Path) -> Path:
    """A path that can be written; ConfigError if it is a folder, a device, or one of the files
    that are read."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file")
    makeable(path.parent)
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path} is no ordinary file; name one that may be written")
    if path.exists() and any(other.exists() and path.samefile(other) for other in read):
        raise ConfigError(f"{path} is what is read; name another file to write")
    return path


def makeable(folder: Path) -> Path:
    """A folder that is there or can be made; ConfigError says which part of its path is a file."""
    there = next((part for part in (folder, *folder.parents) if part.exists()), folder)
    if there.exists() and not there.is_dir():
        raise ConfigError(f"{there} is a file; name a folder")
    return folder


def people_watch() -> bool:
    """Whether anybody sees a progress bar."""
    return sys.stderr.isatty()
