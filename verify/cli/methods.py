"""spikeport methods: what becomes of every method on every engine, measured."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...core.errors import ConfigError
from .base import Json, fresh, people_watch, say, tell

if TYPE_CHECKING:
    from ...core.network import Network
    from ...trainer.specimens import Made
    from ..methods.measure import Row
    from ..methods.page import Cost
    from ..run import Baseline

NORMS = ("psp-ln", "psp-ln-causal", "bntt")  # that can be approximated
EPOCHS = 10


def methods(
    only: Annotated[
        list[str] | None, typer.Option(help="GROUP or GROUP:NAME; may be given several times")
    ] = None,
    backends: Annotated[str, typer.Option(help="engines, with commas between; empty: all")] = "",
    costs: Annotated[bool, typer.Option(help="train shortly, and approximate norms")] = True,
    write: Annotated[Path | None, typer.Option(help="a Markdown file for the table")] = None,
    json: Json = False,
) -> None:
    """Lower a small net for every method, run it on every engine, compare each spike."""
    from ...core.files import written_whole
    from ..methods.measure import ENGINES
    from ..methods.page import page

    if write is not None:
        fresh(write)
    engines = tuple(backends.split(",")) if backends else ENGINES
    if unknown := set(engines) - set(ENGINES):
        raise ConfigError(f"no backend is called {sorted(unknown)[0]!r}; there are {ENGINES}")
    rows = measured(only or [], engines)
    cost = measured_costs() if costs and not only else []
    if json:
        tell({"rows": [row.facts() for row in rows], "costs": [vars(c) for c in cost]})
    text = page(rows, cost, EPOCHS)
    if write is not None:
        with written_whole(write) as part:
            part.write_text(text, encoding="utf8")
    elif not json:
        typer.echo(text)


def measured(only: list[str], engines: tuple[str, ...]) -> "list[Row]":
    """A row a method. ConfigError if `only` names none."""
    from ...trainer.specimens import specimens
    from ..methods.measure import row

    wanted = [s for s in specimens() if not only or {s.group, f"{s.group}:{s.name}"} & set(only)]
    if not wanted:
        groups = ", ".join(dict.fromkeys(s.group for s in specimens()))
        raise ConfigError(
            f"no method is called {', '.join(only)}; give GROUP or GROUP:NAME; groups are {groups}"
        )
    rows = []
    for specimen in wanted:
        if people_watch():
            say(f"{specimen.group} {specimen.name}")
        made = specimen.make()
        rows.append(
            row(specimen.group, specimen.name, Net(made), made.x.astype("float64"), engines)
        )
    return rows


class Net:
    """A specimen's model, as a graph and as what the engines are held against."""

    def __init__(self, made: "Made") -> None:
        self.made = made

    def lowered(self) -> "Network":
        """As export makes it."""
        from ...export.from_torch import lower

        return lower(self.made.model, self.made.x.shape[2:], content=self.made.content)

    def baseline(self, network: "Network") -> "Baseline":
        """The trained model in float64."""
        from ...trainer.evaluate import run_recorded
        from ..trained import TrainedBaseline

        return TrainedBaseline(lambda x: run_recorded(self.made.model, x), network.trained)


def measured_costs() -> "list[Cost]":
    """Norms that are approximated, after a short training on the digits."""
    from tempfile import TemporaryDirectory

    from ...core import config
    from ...trainer import data
    from ...trainer.approximate import approximate
    from ...trainer.loop import fit
    from ..methods.page import Cost

    found = []
    for norm in NORMS:
        given = [f"model.norm={norm}", f"train.epochs={EPOCHS}", "run.progress=false"]
        given += ["model.channels=[8, 16]", f"model.norm_steps={4 if norm == 'bntt' else 0}"]
        given += ["run.threads=1", "run.accelerator=cpu"]  # the same page on the next machine
        settings = config.parse("[data]\nsteps = 4\n", overrides=given)
        with TemporaryDirectory() as folder:
            model = fit(settings, Path(folder) / "run").model
        made = approximate(model, data.load("digits"), settings.data.steps)
        found.append(Cost(norm, made.trained, made.approximated))
    return found
