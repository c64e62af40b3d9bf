"""spikeport settings: every table and key of a settings file."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...core.errors import ConfigError
from .base import Json, fresh, say, tell

if TYPE_CHECKING:
    from ...core.settings.reference import Table


def settings(
    name: Annotated[str, typer.Argument(help="a table, as train or model.neuron; empty: all")] = "",
    write: Annotated[Path | None, typer.Option(help="write all of it to a page")] = None,
    json: Json = False,
) -> None:
    """What can stand in a settings file: keys, values, defaults."""
    from ...core.settings.reference import as_markdown, tables

    found = tables()
    if write is not None:
        fresh(write).write_text(as_markdown(found), encoding="utf-8")
        return say(f"written to {write}")
    wanted = name.strip("[]")
    asked = tuple(t for t in found if not wanted or f"{t.name}.".startswith(f"{wanted}."))
    if not asked:
        known = ", ".join(dict.fromkeys(t.name for t in found if t.name))
        raise ConfigError(f"there is no table {name!r}; there are {known}")
    if json:
        return tell([asdict(table) for table in asked])
    for table in asked:
        show(table)


def show(table: "Table") -> None:
    """One table, for people."""
    from rich.console import Console
    from rich.table import Table as Grid

    from ...core.settings.reference import title

    grid = Grid("key", "values", "default", "about", title=title(table), caption=table.about)
    for key in table.keys:
        grid.add_row(key.name, key.values.replace("`", ""), key.default, key.about)
    Console().print(grid, markup=False)
