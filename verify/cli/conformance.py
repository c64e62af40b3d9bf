"""spikeport conformance: every case on an engine, or on anybody's function of a NIR graph."""

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...core.errors import BackendUnavailable, ConfigError
from .base import FAILED, Json, fresh, people_watch, say, tell

if TYPE_CHECKING:
    from ..conformance.page import Column


def conformance(
    backend: Annotated[
        list[str] | None,
        typer.Option(
            help="an engine's NAME, package.module:Class, or package.module:function, a function "
            "run(nir_graph, x) -> spikes; may be given several times. Default: every engine "
            "that is installed"
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="a case by name; may be given several times")
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(help="of the numbers that a function computes in; default: float64's"),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="functions get networks written for this library's importer: norse, snntorch, "
            "spikingjelly, sinabs",
        ),
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(help="seconds that a case may take, in a process of its own"),
    ] = None,
    measured: Annotated[
        list[Path] | None,
        typer.Option(
            help="what --json printed in another environment: its engines join the matrix and are "
            "not run here; may be given several times"
        ),
    ] = None,
    write: Annotated[Path | None, typer.Option(help="a Markdown file for the matrix")] = None,
    cases: Annotated[
        Path | None, typer.Option(help="a folder: write the cases there as files, run nothing")
    ] = None,
    json: Json = False,
) -> None:
    """Run every case, compare each spike. Exit status 1 if anything ran and was wrong."""
    from ...backends.conformance import BUILDERS
    from ...core.files import written_whole
    from ..conformance.page import lines, page

    names = tuple(BUILDERS)
    if only and (unknown := [name for name in only if name not in BUILDERS]):
        raise ConfigError(f"no case is called {unknown[0]!r}; there are {', '.join(names)}")
    if only:
        names = tuple(name for name in names if name in only)
    if cases is not None:
        written(names, cases)
        return
    if write is not None:
        fresh(write)
        if only:
            raise ConfigError("--write writes the whole matrix; leave --only out")
    there = {column.name: column for path in measured or [] for column in load(path, names)}
    asked = backend or installed(there)
    columns = [there.get(told) or judged(told, names, epsilon, reader, limit) for told in asked]
    if json:
        tell([column.facts() for column in columns])
    if write is not None:
        with written_whole(write) as part:
            part.write_text(page(columns, today()), encoding="utf8")
    elif not json:
        for column in columns:
            typer.echo("\n".join(lines(column)))
    if any(column.bad for column in columns):
        for column in columns:
            if column.bad:
                say(f"{column.name} is WRONG in {', '.join(column.bad)}")
        raise typer.Exit(1)


def load(path: Path, names: tuple[str, ...]) -> "list[Column]":
    """Columns from a file; ConfigError where it is not of these cases."""
    from json import JSONDecodeError, loads

    from ..conformance.page import Column

    try:
        found = [Column.of(facts) for facts in loads(path.read_text(encoding="utf8"))]
    except (JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} is not what --json prints: {error!r}") from None
    for column in found:
        if set(column.verdicts) != set(names):
            raise ConfigError(f"{path}: {column.name!r} was measured on other cases; do it again")
    return found


def installed(elsewhere: Container[str]) -> list[str]:
    """The engines that are there or were measured elsewhere; the others are named."""
    from ...backends import registry

    there = []
    for name in registry.known():
        try:
            if name not in elsewhere:
                registry.get(name)
            there.append(name)
        except BackendUnavailable as error:
            say(f"left out: {error}")
    if not there:
        raise typer.Exit(FAILED)
    return there


def judged(
    told: str,
    names: tuple[str, ...],
    epsilon: float | None,
    reader: str | None,
    limit: float | None,
) -> "Column":
    """One subject on the cases."""
    from ...backends.conformance import make
    from ..conformance.limited import Limited
    from ..conformance.page import Column
    from ..conformance.subjects import Subject, find

    subject: Subject = find(told, epsilon, reader)
    if limit is not None:
        subject = Limited(told, epsilon, reader, limit)
    found = {}
    for name in names:
        if people_watch():
            say(f"{subject.name}: {name}")
        found[name] = subject.verdict(make(name))
    return Column(subject.name, subject.versions(), found)


def written(names: tuple[str, ...], folder: Path) -> None:
    """The cases as files."""
    from ...backends.conformance import make
    from ..conformance.cases import write

    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is no folder; name one for the cases")
    made = [name for name in names if write(make(name), folder)]
    say(f"{len(made)} cases written to {folder}; the chip's own networks stay out")


def today() -> str:
    """The date, as people write it down."""
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()
