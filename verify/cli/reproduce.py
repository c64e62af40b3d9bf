"""spikeport reproduce: a paper's experiment, scaled down, beside the paper's own numbers."""

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .base import Json, say, tell
from .sweep import Jobs, failures, group, progress

if TYPE_CHECKING:
    from ...trainer.sweep import Result
    from ..reproduce.claims import Group
    from ..reproduce.experiment import Experiment
    from ..reproduce.page import Outcome


def reproduce(
    name: Annotated[str, typer.Argument(help="one of the list; empty: the list")] = "",
    out: Annotated[Path | None, typer.Option(help="folder; default runs/reproduce/NAME")] = None,
    page: Annotated[
        Path | None, typer.Option(help="folder for the page and its figure; default: OUT")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="for every run, or sweep.grid.KEY=[...]")
    ] = None,
    jobs: Jobs = 2,
    json: Json = False,
) -> None:
    """Run an experiment with its seeds; say which of its claims were seen, and which not."""
    from ..reproduce.experiment import experiment, names

    if not name:
        return listed(names(), json)
    found = experiment(name)
    folder = out or Path("runs/reproduce") / name
    outcome = carried_out(found, folder, tuple(set_ or ()), jobs)
    written(outcome, page or folder)
    if json:
        from ..reproduce.page import facts

        return tell(facts(outcome))
    show(outcome)
    say(f"{(page or folder) / name}.md")


def listed(names: tuple[str, ...], json: bool) -> None:
    """All experiments, a line each."""
    from ..reproduce.experiment import experiment

    titles = {name: experiment(name).contents.experiment.title for name in names}
    if json:
        return tell(titles)
    for name, title in titles.items():
        typer.echo(f"{name:20} {title}")


def carried_out(
    found: "Experiment", folder: Path, overrides: tuple[str, ...], jobs: int
) -> "Outcome":
    """Every cell trained and measured, every claim judged."""
    from ...trainer.checkpoint import versions
    from ...trainer.sweep.plan import parse
    from ...trainer.sweep.run import run
    from ..reproduce.claims import judged
    from ..reproduce.experiment import BESIDE
    from ..reproduce.page import Outcome

    plan = parse(found.text, found.origin, overrides, BESIDE)
    result = run(plan, folder, jobs, progress)
    failures(result)
    groups = grouped(result)
    verdicts = tuple(judged(claim, groups) for claim in found.contents.claims)
    changed = "".join(f" --set {o}" for o in overrides)
    seeds = tuple(sorted({cell.config.seed for cell in plan.cells}))
    command = f"spikeport reproduce {found.name}{changed}"
    return Outcome(found, groups, verdicts, command, versions(), seeds)


def grouped(result: "Result") -> tuple["Group", ...]:
    """The cells of every point of the grid together."""
    from ..reproduce.claims import Group

    plan = result.plan.groups().items()
    return tuple(Group(label, cells[0].keys(), group(result, label)) for label, cells in plan)


def written(outcome: "Outcome", folder: Path) -> None:
    """The page, its figure, and the numbers, each whole or not at all."""
    from ...core.files import written_whole
    from ..reproduce.figure import figure
    from ..reproduce.page import facts, page

    name = outcome.experiment.name
    drawn = figure(outcome.experiment.contents.experiment.figure, outcome.groups)
    texts = {
        f"{name}.svg": drawn,
        f"{name}.md": page(outcome, f"{name}.svg"),
        f"{name}.json": json_.dumps(facts(outcome), indent=1) + "\n",
    }
    for file, text in texts.items():
        with written_whole(folder / file) as part:
            part.write_text(text, encoding="utf-8")


def show(outcome: "Outcome") -> None:
    """Table and claims, for people."""
    from rich.console import Console
    from rich.markdown import Markdown

    from ..reproduce.page import claims, table

    Console().print(Markdown("\n".join([*table(outcome), "", *claims(outcome.verdicts)])))
