"""spikeport analyse: more of a checkpoint than its accuracy: steps, spikes, landscape, energy."""

import json as json_
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...core.errors import ConfigError
from .base import Json, say, tell
from .files import data_set

if TYPE_CHECKING:
    from ...core.arrays import Numbers
    from ...trainer.checkpoint import Trained
    from ...trainer.data import DataSet

SOME = 256  # samples of the analyses that run a model many times
FURTHER = 4  # times the steps of training, where nobody says
WIDTH = 110  # of tables where nobody says how wide the page is


@dataclass(frozen=True)
class Asked:
    """What is analysed, on what. samples, steps: as the options say, None where they do not."""

    trained: "Trained"
    data: "DataSet"
    split: str
    samples: int | None
    steps: int | None
    points: int
    seed: int

    @property
    def usual(self) -> int:
        """Steps of training."""
        return int(self.trained.config.data.steps)

    @property
    def on(self) -> tuple[Any, "DataSet", str]:
        """What every analysis takes first."""
        return self.trained.model, self.data, self.split


def analyse(
    checkpoint: Annotated[Path, typer.Argument(help="best.ckpt of a training run")],
    what: Annotated[
        str, typer.Option(help="comma-separated: per-step, extension, landscape, rates, energy")
    ],
    data: Annotated[
        str | None, typer.Option(help="digits, fashion-mnist, its folder, or FILE.npz; the run's")
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation or test")] = "test",
    samples: Annotated[
        int | None,
        typer.Option(min=1, help=f"the first N; landscape and energy take {SOME}, others all"),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="how far per-step and extension go")
    ] = None,
    points: Annotated[int, typer.Option(min=2, help="along each axis of the landscape")] = 11,
    seed: Annotated[int, typer.Option(min=0, help="of the landscape's directions")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="folder for analyses.json and a picture of each")
    ] = None,
    json: Json = False,
) -> None:
    """Say more of a trained network than its accuracy."""
    from ...trainer import checkpoint as checkpoints
    from ..report.pictures import ready

    names = chosen(what)
    if out is not None:
        if out.exists() and not out.is_dir():
            raise ConfigError(f"--out {out} is a file; name a folder")
        ready()
    trained = checkpoints.load(checkpoint)
    asked = Asked(trained, heard(trained, data), split, samples, steps, points, seed)
    told: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "data": asked.data.name,
        "split": split,
        **{name: RUNS[name](asked) for name in names},
    }
    if out is not None:
        write(out, told)
    if json:
        tell(told)
        return
    from rich.console import Console

    from ..analyses.table import show

    console = Console()
    show(told, console if console.is_terminal else Console(width=WIDTH))


def chosen(what: str) -> list[str]:
    """The analyses named, in our order."""
    given = [text.strip() for text in what.split(",") if text.strip()]
    for name in given:
        if name not in RUNS:
            raise ConfigError(f"--what {name!r}: no such analysis; there are {', '.join(RUNS)}")
    if not given:
        raise ConfigError(f"--what names no analysis; there are {', '.join(RUNS)}")
    return [name for name in RUNS if name in given]


def heard(trained: "Trained", name: str | None) -> "DataSet":
    """The data of the run, or another set of the same shape, encoded as in training."""
    from ...core.nodes import Input
    from ...trainer import data

    config = trained.config
    if name is None:
        return data.of(config.data, config.seed)
    return data_set(name, Input(trained.input_shape, trained.content), config)


def write(out: Path, told: dict[str, Any]) -> None:
    """The figures and the pictures, each whole."""
    from ...core.files import written_whole
    from ..analyses.pictures import write as draw

    with written_whole(out / "analyses.json") as part:
        part.write_text(json_.dumps(told, indent=1), encoding="utf8")
    paths = draw(out, told)
    say(f"{out / 'analyses.json'}, {', '.join(p.name for p in paths)}")


def per_step(asked: Asked) -> dict[str, Any]:
    """See trainer.analyses.steps."""
    from ...trainer.analyses import per_step

    steps = asked.steps or asked.usual
    found = per_step(*asked.on, steps, trained=asked.usual, samples=asked.samples)
    return {
        "steps": steps,
        "trained_steps": asked.usual,
        "samples": found.samples,
        "readout": getattr(asked.trained.model, "readout", "mean_t"),
        "so_far": found.so_far,
        "own": found.own,
        "mean_own": found.mean_own,
        "variance_so_far": found.variance("so_far"),
        "variance_own": found.variance("own"),
    }


def extension(asked: Asked) -> dict[str, Any]:
    """See trainer.analyses.extension."""
    from ...trainer.analyses import extension
    from ...trainer.analyses.extension import lengths

    most = asked.steps or FURTHER * asked.usual
    tried = lengths(asked.usual, most)
    found = extension(*asked.on, tried, trained=asked.usual, samples=asked.samples)
    return {
        "steps": list(found.accuracy),
        "accuracy": list(found.accuracy.values()),
        "trained_steps": asked.usual,
        "samples": found.samples,
        "variance": found.variance(),
    }


def rates(asked: Asked) -> dict[str, Any]:
    """See trainer.analyses.rates."""
    from ...trainer.analyses import rates

    found = rates(*asked.on, asked.usual, samples=asked.samples)
    return {
        "layers": {
            name: {"neurons": layer.neurons, "rate": found.rate[name], "spikes": found.spikes[name]}
            for name, layer in found.layers.items()
        },
        "pooled": found.pooled,
        "mean_of_layers": found.mean_of_layers,
        "accuracy": found.accuracy,
        "steps": found.steps,
        "samples": found.samples,
    }


def landscape(asked: Asked) -> dict[str, Any]:
    """See trainer.analyses.landscape."""
    import numpy as np

    from ...trainer.analyses import landscape, sharpness

    of = (*asked.on, asked.usual)
    samples = asked.samples or SOME
    at = np.linspace(-1.0, 1.0, asked.points).tolist()
    line, plane = (
        landscape(*of, at, axes=axes, seed=asked.seed, samples=samples) for axes in (1, 2)
    )
    return {
        "line": {"at": at, "loss": line.loss.tolist()},
        "plane": {"at": at, "loss": plane.loss.tolist()},
        "sharpness": asdict(sharpness(*of, seed=asked.seed, samples=samples)),
        "samples": min(samples, len(asked.data.indices(asked.split))),
        "seed": asked.seed,
    }


def energy(asked: Asked) -> dict[str, Any]:
    """See verify.analyses.energy."""
    from ...export.from_torch import lower
    from ..analyses import against_energy

    trained = asked.trained
    about = {"steps": asked.usual, "content": trained.content}
    network = lower(trained.model, trained.input_shape, **about)  # type: ignore[arg-type]
    points = against_energy(network, batches(asked))
    return {
        "samples": points[0].samples,
        "points": [
            {
                "steps": p.steps,
                "accuracy": p.accuracy,
                "synaptic_operations": p.synaptic_operations,
                "macs": p.macs,
                "energy": [
                    {"model": e.model.title, "picojoules": e.picojoules, "counted": e.counted}
                    for e in p.energy
                ],
            }
            for p in points
        ],
    }


def batches(asked: Asked, size: int = 32) -> Iterator[tuple["Numbers", "Numbers"]]:
    """The samples whose operations are counted."""
    indices = asked.data.indices(asked.split)[: asked.samples or SOME]
    for start in range(0, len(indices), size):
        yield asked.data.take(indices[start : start + size], asked.usual)


RUNS: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "per-step": per_step,
    "extension": extension,
    "rates": rates,
    "landscape": landscape,
    "energy": energy,
}
