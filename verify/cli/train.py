"""spikeport train: a TOML file in, a folder with checkpoints out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .base import Json, say, tell
from .files import first

if TYPE_CHECKING:
    from ...core.settings import TrainConfig
    from ...trainer.checkpoint import Trained
    from ...trainer.graph import Start


def train(
    config: Annotated[Path, typer.Argument(help="settings, a TOML file")],
    out: Annotated[Path, typer.Option(help="folder for checkpoints, logs and metrics")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="override a setting: train.lr=0.01")
    ] = None,
    resume: Annotated[bool, typer.Option(help="go on from OUT/last.ckpt")] = False,
    json: Json = False,
) -> None:
    """Train a network; chosen on the validation split, reported on the test split. With a
    section [finetune], go on from a checkpoint, in the chip's integers or in real numbers."""
    from ...core.config import load
    from ...trainer.processes import follows

    trained = fitted(load(config, set_ or ()), out, resume)
    if follows():
        return
    if json:
        tell(trained.metrics)
        return
    accuracy = float(trained.metrics["test_accuracy"])
    say(
        f"test accuracy {accuracy:.2%} (epoch {trained.metrics['epoch']} of "
        f"{trained.metrics['epochs']}, best on validation); {out / 'best.ckpt'}"
    )


def fitted(settings: "TrainConfig", out: Path, resume: bool) -> "Trained":
    """Train from fresh weights, or from the checkpoint that the settings name."""
    from ...trainer.loop import fit

    if settings.finetune is None:
        return fit(settings, out, resume)
    from ...export.from_torch import start_of
    from ...trainer import data, finetune
    from ...trainer.processes import follows
    from ..emulated import by_emulator

    resolved, trained = finetune.origin(settings)
    assert resolved.finetune is not None
    about = resolved.finetune
    found = data.named(resolved.data)

    def start() -> "Start":
        heard = data.encoded(found, resolved.data.encoder, resolved.seed)
        x = first(heard, resolved.data.steps, about.samples)
        made = start_of(trained, about, lambda: x, by_emulator())
        for doubt in () if follows() else made.doubts:
            say(f"warning: {doubt}")
        return made

    return fit(resolved, out, resume, found, start)
