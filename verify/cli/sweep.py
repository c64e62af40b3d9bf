"""spikeport sweep: many runs from one file, side by side, resumable."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...core.errors import TrainingError
from .base import Json, people_watch, say, tell

if TYPE_CHECKING:
    from ...trainer.sweep import Cell, Result
    from ...trainer.sweep.work import Found

Jobs = Annotated[int, typer.Option(min=1, help="processes, one thread each")]


def sweep(
    file: Annotated[Path, typer.Argument(help="settings with a table [sweep], TOML")],
    out: Annotated[Path, typer.Option(help="folder of all runs; a sweep that is there goes on")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="for every run, or sweep.grid.KEY=[...]")
    ] = None,
    jobs: Jobs = 2,
    json: Json = False,
) -> None:
    """Train a grid of settings; OUT/cells.jsonl has every number. Cells that are done stay."""
    from ...trainer.sweep import read, run

    result = run(read(file, set_ or ()), out, jobs, progress)
    if json:
        tell({label: group(result, label) for label in result.plan.groups()})
    else:
        show(result)
    failures(result)


def progress(done: int, of: int, cell: "Cell", found: "Found") -> None:
    """A line a cell."""
    if not people_watch() and not found.problem:
        return
    seed = f" seed {cell.config.seed}"
    told = found.problem or f"{found.values['accuracy']:.2%}"
    say(f"{done}/{of} {cell.label()}{seed}: {told}")


def failures(result: "Result") -> None:
    """TrainingError where cells failed; they have been told as they came."""
    if result.failed:
        cell, problem = result.failed[0]
        raise TrainingError(
            f"{len(result.failed)} of {len(result.found)} cells failed; the first, "
            f"{cell.label()} seed {cell.config.seed}: {problem}"
        )


def group(result: "Result", label: str) -> dict[str, list[float]]:
    """name -> a value of every seed."""
    cells = [f for c, f in zip(result.plan.cells, result.found, strict=True) if c.label() == label]
    names = dict.fromkeys(name for found in cells for name in found.values)
    return {name: [f.values[name] for f in cells if name in f.values] for name in names}


def show(result: "Result") -> None:
    """Accuracy of every group, for people."""
    from rich.console import Console
    from rich.table import Table

    from ..statistics import mean_interval

    grid = Table("group", "runs", "accuracy, %", "95 %")
    for label in result.plan.groups():
        values = [100 * v for v in result.values(label, "accuracy")]
        middle, low, high = mean_interval(values)
        grid.add_row(label, str(len(values)), f"{middle:.2f}", f"{low:.2f} .. {high:.2f}")
    Console().print(grid)
