"""spikeport train: a TOML file in, a folder with checkpoints out."""

from pathlib import Path
from typing import Annotated

import typer

from .base import Json, say, tell


def train(
    config: Annotated[Path, typer.Argument(help="settings, a TOML file")],
    out: Annotated[Path, typer.Option(help="folder for checkpoints, logs and metrics")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="override a setting: train.lr=0.01")
    ] = None,
    resume: Annotated[bool, typer.Option(help="go on from OUT/last.ckpt")] = False,
    json: Json = False,
) -> None:
    """Train a network; chosen on the validation split, reported on the test split."""
    from ...core.config import load
    from ...trainer.loop import fit

    trained = fit(load(config, set_ or ()), out, resume)
    if json:
        tell(trained.metrics)
        return
    accuracy = float(trained.metrics["test_accuracy"])
    say(
        f"test accuracy {accuracy:.2%} (epoch {trained.metrics['epoch']} of "
        f"{trained.metrics['epochs']}, best on validation); {out / 'best.ckpt'}"
    )
