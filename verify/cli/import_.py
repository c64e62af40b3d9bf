"""spikeport import: a .nir file of another library in; a .nir file of ours out."""

from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import ConfigError
from .base import Json, Out, fresh, say, tell


def import_(
    file: Annotated[
        Path, typer.Argument(help="a .nir file that another library wrote, or lava-dl's .net")
    ],
    out: Out,
    dialect: Annotated[
        str,
        typer.Option(
            help="whose file it is: snntorch, norse, sinabs, spikingjelly, rockpool, spyx, "
            "hxtorch, lava-dl, plain; auto: by what shows in the file"
        ),
    ] = "auto",
    dt: Annotated[
        float | None, typer.Option(help="seconds a step, where the file does not say")
    ] = None,
    reset: Annotated[
        str | None, typer.Option(help="value, subtract or none, where the exporter dropped it")
    ] = None,
    said: Annotated[
        list[str] | None,
        typer.Option("--say", help="KEY=VALUE: another thing that the exporter dropped"),
    ] = None,
    json: Json = False,
) -> None:
    """Undo what another library's exporter is known to distort, say what was assumed, and write a
    file that means one thing. What cannot be known must be stated; else nothing is written."""
    from ...core import store
    from ...export import dialects

    if dt is not None and not dt > 0:
        raise ConfigError(f"--dt {dt}: a time step is a positive number of seconds")
    answers = {} if reset is None else {"reset": reset}
    for text in said or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--say {text}: give KEY=VALUE")
        answers[key] = value
    made = dialects.load(file, dialect, dt, answers)
    store.write(made.network, fresh(out, file))
    if json:
        tell(
            {
                "file": str(out),
                "digest": store.digest(made.network),
                "dialect": made.dialect.name,
                "evidence": list(made.evidence),
                "assumed": list(made.assumed),
                "dt": made.network.meaning.dt,
            }
        )
        return
    for line in made.evidence:
        say(f"{made.dialect.title}: {line}")
    for line in made.assumed:
        say(f"assumed: {line}")
    say(f"{out}: {len(made.network.nodes)} nodes, read as {made.dialect.title}")
