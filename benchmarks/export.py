"""From a checkpoint to a file and back: ResNet-19 exported, beside its own forward pass; its file
read, beside h5py; `--help`, beside that of an app which does nothing.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import torch
from torch import Tensor

from ..core import config, store
from ..core.settings.toml import toml_lines
from ..export.passes.base import PROBE_BATCH, PROBE_STEPS
from ..trainer import checkpoint
from ..trainer.models import build
from ..trainer.models.presets import preset
from ..verify.cli.export import from_checkpoint, written
from .figure import Figure, interleaved

STEPS = 4
EXPORT_BAR, READ_BAR, HELP_BAR = 3.0, 2.0, 1.5  # times as long, at most
BARE = """
import typer
app = typer.Typer()
@app.command()
def one(name: str) -> None:
    "One."
@app.command()
def two(name: str) -> None:
    "Two."
app()
"""


def figures() -> Iterator[Figure]:
    """Milliseconds of each, then the shares."""
    with tempfile.TemporaryDirectory() as folder:
        yield from of_files(Path(folder))
    yield from of_help()


def of_files(folder: Path) -> Iterator[Figure]:
    """Exporting and reading."""
    ckpt, out = folder / "resnet.ckpt", folder / "resnet.nir"
    plain = forward(untrained(ckpt))
    taken = interleaved({"forward": plain, "export": lambda: exported(ckpt, out)})
    yield from ratio("export", "forward", taken, EXPORT_BAR)
    taken = interleaved({"h5py": lambda: arrays(out), "read": lambda: store.read(out)})
    yield from ratio("read", "h5py", taken, READ_BAR)


def of_help() -> Iterator[Figure]:
    """Whole processes."""
    ours, bare = [sys.executable, "-m", "spikeport", "--help"], [sys.executable, "-c", BARE]
    bare.append("--help")

    def started(command: list[str]) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    taken = interleaved({"bare": lambda: started(bare), "help": lambda: started(ours)}, 11)
    yield from ratio("help", "bare", taken, HELP_BAR)


def ratio(what: str, beside: str, taken: dict[str, list[float]], bar: float) -> Iterator[Figure]:
    """The time of each, and how much of the bar is left."""
    for name, seconds in taken.items():
        ms = [1e3 * s for s in seconds]
        yield Figure(f"export/{name}", statistics.median(ms), "ms", None, min(ms), max(ms))
    share = statistics.median(taken[beside]) / statistics.median(taken[what])
    yield Figure(f"export/{beside} over {what}", share, "share of the time", 1 / bar)


def untrained(path: Path) -> checkpoint.Trained:
    """The paper's net with norms that have seen something, written as a checkpoint."""
    found = preset("resnet-19")
    torch.manual_seed(0)
    model = build(found.model, found.input, found.classes)
    with torch.no_grad():
        model.train()(torch.rand(STEPS, 2, *found.input))
    plain = config.parse("\n".join(toml_lines({"data": {"steps": STEPS}})), "the benchmark")
    settings = plain.model_copy(update={"model": found.model})
    made = checkpoint.Trained(model.eval(), settings, {}, found.input, found.classes)
    checkpoint.save(path, made)
    return made


def forward(trained: checkpoint.Trained) -> Callable[[], Tensor]:
    """The model in float64 on as many steps and samples as a pass is probed with."""
    model = trained.model.double()
    x = torch.rand(PROBE_STEPS, PROBE_BATCH, *trained.input_shape, dtype=torch.float64)

    @torch.no_grad()
    def run() -> Tensor:
        given: Tensor = model(x)
        return given

    return run


def exported(ckpt: Path, out: Path) -> None:
    """What `spikeport export` does, once Python has started."""
    made = from_checkpoint(ckpt, 1e-3, None)
    assert written(made.lowered.network, out, prove=made.prove) is None


def arrays(path: Path) -> list[Any]:
    """Every dataset of a file."""
    found: list[Any] = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.append(item[()]) if is_array(item) else None)
    return found


def is_array(item: Any) -> bool:
    """Whether it is a dataset."""
    return isinstance(item, h5py.Dataset)
