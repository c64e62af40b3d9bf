"""spikeport architectures: what the papers' nets are made of, layer by layer."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...core.errors import ConfigError
from .base import Json, tell

if TYPE_CHECKING:
    from ...trainer.models.presets import Preset
    from ...trainer.models.table import Table


def architectures(
    name: Annotated[str, typer.Argument(help="one of the list; empty: the list")] = "",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="override a setting: model.channels=[8,8]")
    ] = None,
    input: Annotated[str, typer.Option(help="shape of a sample: 3,32,32")] = "",
    classes: Annotated[int, typer.Option(min=0, help="0: the paper's")] = 0,
    toml: Annotated[bool, typer.Option(help="print the [model] table of a settings file")] = False,
    json: Json = False,
) -> None:
    """The papers' architectures: layers, shapes, parameters, MACs per step."""
    from ...trainer.models import build
    from ...trainer.models.presets import names, preset
    from ...trainer.models.table import table

    if not name:
        return listed(names(), json)
    found = preset(name, tuple(set_ or ()))
    if toml:
        return typer.echo(as_toml(found))
    shape, count = shaped(input) or found.input, classes or found.classes
    made = table(build(found.model, shape, count), shape)
    facts = {"name": name, "input": shape, "classes": count, "paper": found.paper}
    facts |= {"ours": found.ours, "parameters": made.parameters, "macs_per_step": made.macs}
    if json:
        return tell({**facts, "layers": [vars(row) for row in made.rows]})
    show(facts, made)


def listed(names: tuple[str, ...], json: bool) -> None:
    """All of them, a line each."""
    from ...trainer.models.presets import preset

    about = {name: preset(name) for name in names}
    if json:
        return tell({name: {"paper": p.paper, "ours": p.ours} for name, p in about.items()})
    for name, found in about.items():
        typer.echo(f"{name:25} {found.paper}")


def shaped(text: str) -> tuple[int, ...]:
    """'3,32,32' as a shape; empty: none. ConfigError if it is none."""
    parts = [part.strip() for part in text.split(",")] if text else []
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(f"--input is {text!r}; give a shape as 3,32,32")
    return tuple(map(int, parts))


def as_toml(found: "Preset") -> str:
    """Its [model] table, every key given."""
    from ...core.settings.toml import toml_lines

    return "\n".join(toml_lines({"model": found.model.model_dump(exclude_none=True)})).lstrip()


def show(facts: dict[str, Any], made: "Table") -> None:
    """The table, for people."""
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid("layer", "kind", "shape", title=f"{facts['name']}: {facts['paper']}")
    grid.add_column("parameters", justify="right")
    grid.add_column("MACs per step", justify="right")
    for row in made.rows:
        shape = " x ".join(map(str, row.shape))
        counts = (f"{n:,}" if n else "" for n in (row.parameters, row.macs))
        grid.add_row(row.name, row.kind, shape, *counts)
    grid.add_section()
    grid.add_row("all", "", "", f"{made.parameters:,}", f"{made.macs:,}")
    Console().print(grid)
    typer.echo(f"ours: {facts['ours']}")
