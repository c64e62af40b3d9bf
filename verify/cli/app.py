"""The program's verbs, and how it ends: 0 well, 1 an engine disagrees or a chip
is too small, 2 could not, 130 Ctrl-C, 143 SIGTERM."""

import typer

from . import (
    analyse,
    architectures,
    conformance,
    demo,
    export,
    fit,
    import_,
    inspect,
    methods,
    quantise,
    reproduce,
    run,
    schema,
    settings,
    setup,
    sweep,
    train,
    verify,
)
from .base import heed_termination, verb

app = typer.Typer(
    name="spikeport",
    help="Train a spiking network, lower it to NIR, run it on many engines, prove that it is "
    "still the same network.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command(name="train")(verb(train.train))
app.command(name="export")(verb(export.export))
app.command(name="import")(verb(import_.import_))
app.command(name="quantise")(verb(quantise.quantise))
app.command(name="analyse")(verb(analyse.analyse))
app.command(name="fit")(verb(fit.fit))
app.command(name="methods")(verb(methods.methods))
app.command(name="run")(verb(run.run))
app.command(name="verify")(verb(verify.verify))
app.command(name="conformance")(verb(conformance.conformance))
app.command(name="inspect")(verb(inspect.inspect))
app.command(name="backends")(verb(setup.backends))
app.command(name="doctor")(verb(setup.doctor))
app.command(name="setup")(verb(setup.setup))
app.command(name="architectures")(verb(architectures.architectures))
app.command(name="settings")(verb(settings.settings))
app.command(name="schema")(verb(schema.schema))
app.command(name="sweep")(verb(sweep.sweep))
app.command(name="reproduce")(verb(reproduce.reproduce))
app.command(name="demo")(verb(demo.demo))


def main() -> None:
    """Entry point."""
    heed_termination()
    app()
