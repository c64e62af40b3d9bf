"""spikeport verify: a network, data, engines -> the verdict, a table, JSON and a page."""

import json as json_
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...core.errors import CheckpointError, ConfigError
from .base import FAILED, Json, makeable, people_watch, say, tell
from .files import (
    BackEdge,
    CubaCurrent,
    Dt,
    IfR,
    InputContent,
    Integrator,
    Reset,
    data_set,
    first,
    stated,
)

if TYPE_CHECKING:
    from ...core.network import Network
    from ...core.settings import TrainConfig
    from ...trainer.data import DataSet
    from ..run import Batch, Verification, Watch
    from ..trained import TrainedBaseline, TrainedForward

ENGINES = "reference,norse,loihi,lava-float,lava-fixed"
WIDTH = 110  # of the table where nobody says how wide the page is
CALIBRATION = 128  # samples of the training split


def verify(
    model: Annotated[Path, typer.Argument(help="a .nir or .net file")],
    data: Annotated[str, typer.Option(help="digits, fashion-mnist, its folder, or FILE.npz")],
    out: Annotated[Path, typer.Option(help="folder for report.json and report.html")],
    split: Annotated[str, typer.Option(help="train, validation or test")] = "test",
    samples: Annotated[int | None, typer.Option(min=1, help="the first N only")] = None,
    against: Annotated[
        Path | None, typer.Option(help="hold engines against this checkpoint's float64 model")
    ] = None,
    backends: Annotated[
        str, typer.Option(help="engines, comma-separated; NAME:N gives one the first N samples")
    ] = ENGINES,
    steps: Annotated[int | None, typer.Option(min=1, help="T, where the file does not say")] = None,
    max_drop: Annotated[
        float, typer.Option(min=0, help="points of accuracy that integers may cost")
    ] = 2.0,
    dt: Dt = None,
    reset: Reset = None,
    back_edge: BackEdge = None,
    if_r: IfR = None,
    cuba_current: CubaCurrent = None,
    input_content: InputContent = None,
    integrator: Integrator = None,
    json: Json = False,
) -> None:
    """Say with proof whether a network is still the one that was trained, on every engine."""
    from ...core import store
    from ...core.nodes import Input
    from ..report.facts import facts
    from ..run import Request, only_ports
    from ..run import verify as verify_

    makeable(out)
    network = store.read(
        model, stated(dt, reset, back_edge, if_r, cuba_current, input_content, integrator)
    )
    requests = [Request.parse(text.strip()) for text in backends.split(",") if text.strip()]
    if not requests:
        raise ConfigError("--backends names no engine; there is spikeport backends")
    heard = network.nodes[only_ports(network)[0]]
    assert isinstance(heard, Input)
    found = data_set(data, heard, None if against is None else settings_of(against))
    t = steps or found.steps or network.meaning.steps
    if t is None:
        raise ConfigError(f"{model} does not say how many time steps; say --steps T")
    baseline, also, seed = trained_side(against, network)
    with watching(min(samples or len(found.indices(split)), len(found.indices(split)))) as watch:
        result = verify_(
            network,
            batches(found, split, t, samples, network),
            requests,
            baseline,
            calibration=lambda: first(found, t, CALIBRATION),
            also=also,
            max_drop=max_drop,
            watch=watch,
        )
    about = {
        "model": str(model),
        "data": found.name,
        "split": split,
        "calibration": f"first {CALIBRATION} samples of the train split, in file order",
        "against": None if against is None else str(against),
        "seed": seed,
    }
    told = facts(result, about)
    write(out, told, result)
    if json:
        tell(told)
    else:
        from rich.console import Console

        from ..report.table import show

        console = Console()
        show(told, console if console.is_terminal else Console(width=WIDTH))
        say(f"{out / 'report.html'}")
    if result.verdict == "incomplete":
        raise typer.Exit(FAILED)
    if not result.agrees:
        raise typer.Exit(1)


def write(out: Path, told: dict[str, object], result: "Verification") -> None:
    """report.json and report.html, each whole."""
    from ...core.files import written_whole
    from ..report.page import page

    html = page(told, result)
    for name, text in (("report.json", json_.dumps(told, indent=1)), ("report.html", html)):
        with written_whole(out / name) as part:
            part.write_text(text, encoding="utf8")


def settings_of(path: Path) -> "TrainConfig":
    """What a checkpoint was trained with."""
    from ...trainer import checkpoint

    return checkpoint.load(path).config


def trained_side(
    path: Path | None, network: "Network"
) -> tuple["TrainedBaseline | None", tuple["TrainedForward", ...], int | None]:
    """(baseline, further rows, seed): the checkpoint's model in float64, its float32 forward."""
    if path is None:
        say("no checkpoint given: the baseline is this network on the reference interpreter")
        return None, (), None
    from ...core.schedule import compile
    from ...trainer import checkpoint
    from ...trainer.evaluate import run_recorded, run_single
    from ..trained import TrainedBaseline, TrainedForward

    trained = checkpoint.load(path)
    digest = checkpoint.trained_digest(trained.model)
    if digest != network.meaning.trained_digest:
        raise CheckpointError(
            f"{path} is not what this file was exported from: its weights have digest "
            f"{digest[:12]}..., the file says {str(network.meaning.trained_digest)[:12]}...; give "
            "the checkpoint that was exported, or export this one"
        )
    model = trained.model
    names = [n for n in compile(network).order if n in network.trained]
    baseline = TrainedBaseline(lambda x: run_recorded(model, x), names)
    single = TrainedForward(lambda x: run_single(model, x), checkpoint.versions())
    return baseline, (single,), trained.config.seed


def batches(
    found: "DataSet", split: str, steps: int, samples: int | None, network: "Network"
) -> Iterator["Batch"]:
    """The split in file order, in batches that fit into memory."""
    from ..run import batch_size

    size = batch_size(network)
    left = len(found.indices(split)) if samples is None else samples
    for x, y in found.batches(split, steps, size):
        if left <= 0:
            return
        yield x[:, :left], y[:left]
        left -= x.shape[1]


@contextmanager
def watching(total: int) -> Iterator["Watch | None"]:
    """A bar for each engine, if anybody watches."""
    if not people_watch():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, TaskID

    bars: dict[str, TaskID] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:

        def watch(engine: str, done: int) -> None:
            if engine not in bars:
                bars[engine] = progress.add_task(engine, total=total)
            progress.update(bars[engine], completed=done)

        yield watch
