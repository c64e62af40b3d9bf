"""What 8-bit integers cost on Fashion-MNIST: quantised after training, and trained in integers.

For each of three seeds: examples/fashion_mnist.toml is trained in real numbers; from its best
checkpoint examples/fashion_mnist_integers.toml is trained in 8-bit integers, in 4-bit ones, and
equally long in real numbers. Integer networks are written to .nir files, read back and run on
`loihi`. Every network answers all 10,000 test images; differences are paired, in points, with
95 % intervals.

It takes long and goes on where it was stopped: folder runs/bench/quantisation, or
SPIKEPORT_BENCH_FOLDER.
"""

import os
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..backends import registry
from ..core import store
from ..core.config import parse
from ..core.network import Network
from ..core.settings import TrainConfig
from ..export.from_torch import lower
from ..export.quantise import Options
from ..trainer import checkpoint, data
from ..trainer.checkpoint import Trained
from ..trainer.evaluate import right, run_single
from ..verify.cli.files import first
from ..verify.cli.train import fitted
from ..verify.cli.verify import CALIBRATION
from ..verify.compare import read_out
from ..verify.emulated import by_emulator
from ..verify.prepare import prepare
from ..verify.run import only_ports
from ..verify.statistics import mean_paired_difference, paired_difference
from .figure import Figure

SEEDS = (0, 1, 2)
TRAIN, TUNE = "fashion_mnist.toml", "fashion_mnist_integers.toml"
BITS = (8, 4)  # the bars are for the first
FOLDER = "SPIKEPORT_BENCH_FOLDER"
PTQ_BAR, TRAINED_BAR = -0.5, -0.1  # points
BATCH = 256
Right = NDArray[np.bool_]


def figures() -> Iterator[Figure]:
    """Train what is not there yet, then compare."""
    folder = Path(os.environ.get(FOLDER, "runs/bench/quantisation"))
    rights: dict[str, list[Right]] = {}
    for seed in SEEDS:
        trained = Seed(folder, seed)
        yield from trained.seconds()
        for name, answers in trained.rights().items():
            rights.setdefault(name, []).append(answers)
            share = 100 * float(answers.mean())
            yield Figure(f"quantisation/seed {seed}/{name}", share, "% of test images right")
        yield trained.agreeing_spikes()
    for bits in BITS:
        after, within = rights[f"quantised to {bits} bits"], rights[f"trained in {bits} bits"]
        bars = (PTQ_BAR, TRAINED_BAR) if bits == BITS[0] else (None, None)
        yield from compared(f"quantised to {bits} bits", rights["float"], after, bars[0])
        yield from compared(f"trained in {bits} bits", rights["float, tuned"], within, bars[1])


def compared(
    name: str, real: Sequence[Right], integers: Sequence[Right], bar: float | None
) -> Iterator[Figure]:
    """Integers minus real numbers: each seed, and the mean of all against the bar."""
    for seed, pair in zip(SEEDS, zip(real, integers, strict=True), strict=True):
        found = paired_difference(*(p.tolist() for p in pair))
        yield points(f"quantisation/{name}, seed {seed}", found, None)
    found = mean_paired_difference([r.tolist() for r in real], [i.tolist() for i in integers])
    yield points(f"quantisation/{name}, mean", found, bar)


def points(name: str, found: tuple[float, float, float], bar: float | None) -> Figure:
    """A difference with its interval."""
    change, low, high = (100 * f for f in found)
    return Figure(name, change, "points", bar, low, high)


class Seed:
    """The trainings of one seed, and what they answer."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.real = self.run("float", TRAIN)
        start = f"finetune.start={self.place('float') / 'best.ckpt'}"
        self.tuned = self.run("tuned", TUNE, start, "finetune.numbers=real")
        self.whole = {b: self.run(f"bits{b}", TUNE, start, f"finetune.bits={b}") for b in BITS}
        about = self.real.config.data
        found = data.named(about)
        self.data = data.encoded(found, about.encoder, self.real.config.seed)
        self.steps = about.steps

    def place(self, name: str) -> Path:
        """The folder of a training."""
        return self.folder / f"{name}-{self.seed}"

    def run(self, name: str, example: str, *overrides: str) -> Trained:
        """A training that has ended, now or before."""
        text = files("spikeport.examples").joinpath(example).read_text(encoding="utf8")
        settings: TrainConfig = parse(text, example, (f"seed={self.seed}", *overrides))
        place = self.place(name)
        if (place / "metrics.json").exists():
            return checkpoint.load(place / "best.ckpt")
        return fitted(settings, place, resume=True)

    def seconds(self) -> Iterator[Figure]:
        """How long each took, on this machine with what else ran on it."""
        runs = {"float": self.real, "float, tuned": self.tuned}
        runs |= {f"trained in {bits} bits": run for bits, run in self.whole.items()}
        for name, trained in runs.items():
            took = float(trained.metrics["seconds"])
            yield Figure(f"quantisation/seed {self.seed}/{name}, training", took, "s")

    def written(self, trained: Trained) -> Network:
        """As it is written to a file and read back."""
        path = self.folder / f"{trained.metrics['digest']}.nir"
        store.write(lower(trained.model, trained.input_shape, steps=self.steps), path)
        return store.read(path)

    def quantised(self, bits: int) -> Network:
        """After training, as `verify` does it for the emulator."""
        able = registry.get("loihi").capabilities()
        network = lower(self.real.model, self.real.input_shape, steps=self.steps)
        inputs = {network.inputs[0]: first(self.data, self.steps, CALIBRATION)}
        return prepare(network, able, inputs, Options(bits=bits), by_emulator()).network

    def rights(self) -> dict[str, Right]:
        """Which test images each network gets right."""
        found = {
            "float": right(self.real.model, self.data, "test", self.steps),
            "float, tuned": right(self.tuned.model, self.data, "test", self.steps),
        }
        for bits, trained in self.whole.items():
            found[f"quantised to {bits} bits"] = self.on_engine(self.quantised(bits))
            measured = self.on_engine(self.written(trained))
            if float(measured.mean()) != trained.metrics["test_accuracy"]:
                raise AssertionError("the engine does not give what the trainer measured")
            found[f"trained in {bits} bits"] = measured
        return found

    def on_engine(self, network: Network) -> Right:
        """On `loihi`, all test images."""
        source, output = only_ports(network)
        found = []
        with registry.get("loihi").open(network) as session:
            for x, y in self.data.batches("test", self.steps, BATCH):
                got = session.run({source: x}).outputs[output]
                found.append(read_out(got, network.meaning.readout).argmax(1) == y)
        return np.concatenate(found)

    def agreeing_spikes(self) -> Figure:
        """The trained module's own forward pass against the engine's run of the file, all test
        images."""
        trained = self.whole[BITS[0]]
        network = self.written(trained)
        source, _ = only_ports(network)
        apart = neuron_steps = 0
        with registry.get("loihi").open(network) as session:
            for x, _ in self.data.batches("test", self.steps, BATCH):
                _, ours = run_single(trained.model, x)
                theirs = session.run({source: x}, ("all",)).spikes
                apart += sum(int((ours[n] != theirs[n]).sum()) for n in ours)
                neuron_steps += sum(s.size for s in ours.values())
        name = f"quantisation/seed {self.seed}/spikes that agree, of {neuron_steps}"
        return Figure(name, 1 - apart / neuron_steps, "share", 1.0)
