"""spikeport demo: the whole way on real digits, in one command."""

from pathlib import Path
from typing import Annotated

import typer

from .base import say
from .export import export
from .train import train
from .verify import ENGINES, verify


def demo(
    out: Annotated[Path, typer.Option(help="folder for everything it makes")] = Path("runs/demo"),
    backends: Annotated[str, typer.Option(help="engines to verify on")] = ENGINES,
) -> None:
    """Train on real images, lower to NIR, run on every engine, judge."""
    from importlib.resources import files

    out.mkdir(parents=True, exist_ok=True)
    config = out / "digits.toml"
    text = files("spikeport.examples").joinpath("digits.toml").read_text(encoding="utf8")
    config.write_text(text, encoding="utf8")
    say("1/3 training on digits")
    train(config, out / "training", resume=(out / "training" / "last.ckpt").exists())
    say("2/3 lowering to NIR")
    export(out / "training" / "best.ckpt", out / "digits.nir")
    say("3/3 running on every engine")
    verify(
        out / "digits.nir",
        "digits",
        out / "report",
        against=out / "training" / "best.ckpt",
        backends=backends,
    )
    say(f"the report lies at {out / 'report' / 'report.html'}")
