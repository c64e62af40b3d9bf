"""Fine-tuning: it goes on from a checkpoint, measures what is written, is resumed to the bit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from spikeport.core import interpreter
from spikeport.core.chip_nodes import ToChip
from spikeport.core.config import parse
from spikeport.core.errors import CheckpointError, ConfigError
from spikeport.core.nodes import Input
from spikeport.core.schedule import compile
from spikeport.core.settings import Regularisers, TrainConfig
from spikeport.export.from_torch import lower, start_of
from spikeport.trainer import checkpoint, finetune
from spikeport.trainer.checkpoint import Trained, trained_digest
from spikeport.trainer.data.dataset import Batch, DataSet, Indices
from spikeport.trainer.graph import GraphNet, Start
from spikeport.trainer.loop import fit
from spikeport.trainer.regularisers import listening, regularised
from spikeport.trainer.regularisers.choice import synapses

QUICK = ["train.batch=16", "run.threads=1", "run.accelerator=cpu", "run.loggers=[]"]
MODELS = {
    "conv": ["model.channels=[5, 4]", "model.neuron.decay=0.6"],
    "recurrent": ["model.name=recurrent", "model.hidden=[9]", "model.neuron.kind=cuba"],
    "max": ["model.channels=[5]", "model.pool=max", "model.neuron.reset=subtract"],
}
Home = Callable[[str], Path]


@pytest.fixture(scope="module")
def home(blobs: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The best.ckpt of a trained model, by name."""
    made: dict[str, Path] = {}

    def trained(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "run"
            overrides = [*QUICK, *MODELS[name], "train.epochs=5", "train.lr=0.01"]
            fit(parse("", overrides=overrides), made[name], dataset=blobs)
        return made[name] / "best.ckpt"

    return trained


def settings(path: Path, *overrides: str) -> TrainConfig:
    given = [f"finetune.start='{path}'", "train.epochs=3", "train.lr=0.003", *QUICK, *overrides]
    return parse("", overrides=given)


def begun(config: TrainConfig, blobs: DataSet) -> tuple[TrainConfig, Callable[[], Start]]:
    """(the resolved settings, what gives the start)."""
    resolved, trained = finetune.origin(config)
    assert resolved.finetune is not None
    about = resolved.finetune
    x = blobs.take(blobs.indices("train")[: about.samples], resolved.data.steps)[0]
    return resolved, lambda: start_of(trained, about, lambda: x)


def tuned(config: TrainConfig, blobs: DataSet, out: Path, **how: Any) -> Trained:
    resolved, start = begun(config, blobs)
    return fit(resolved, out, dataset=how.pop("dataset", blobs), start=start, **how)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_measured_is_what_is_written(
    name: str, home: Home, blobs: DataSet, tmp_path: Path
) -> None:
    trained = tuned(settings(home(name), "finetune.bits=6"), blobs, tmp_path / "run")
    assert isinstance(trained.model, GraphNet)
    network = lower(trained.model, blobs.shape)
    assert network.number_format == "loihi"
    assert network.meaning.trained_digest == trained.metrics["digest"]
    for split in ("validation", "test"):
        x, y = blobs.take(blobs.indices(split), 4)
        run = interpreter.run(compile(network), {network.inputs[0]: x})
        (outputs,) = run.outputs.values()
        right = (outputs.mean(0).argmax(1) == y).mean()
        assert right == trained.metrics[f"{split}_accuracy"]
        assert right > 0.5
    again = checkpoint.load(tmp_path / "run" / "best.ckpt")
    assert trained_digest(again.model) == trained.metrics["digest"]
    moved = dict(again.model.named_parameters())
    first = dict(checkpoint.load(home(name)).model.named_parameters())
    same = [n for n in moved if n in first and moved[n].shape == first[n].shape]
    assert same and any(not torch.equal(moved[n], first[n]) for n in same)


def test_both_kinds_of_numbers_start_from_the_same_network(home: Home, blobs: DataSet) -> None:
    starts = [
        begun(settings(home("conv"), f"finetune.numbers={kind}"), blobs)[1]()
        for kind in ("loihi", "real")
    ]
    assert starts[0].chip is not None and starts[1].chip is None
    whole, real = (GraphNet(s) for s in starts)
    assert whole.state_dict().keys() == real.state_dict().keys()
    assert not any("norm" in name for name in real.state_dict())
    assert trained_digest(whole) == trained_digest(real)


def test_in_real_numbers_it_begins_where_training_ended(
    home: Home, blobs: DataSet, tmp_path: Path
) -> None:
    config = settings(home("conv"), "finetune.numbers=real", "train.lr=1e-12", "train.epochs=1")
    before = checkpoint.load(home("conv")).metrics
    after = tuned(config, blobs, tmp_path).metrics
    assert after["validation_accuracy"] == before["validation_accuracy"]
    assert after["test_accuracy"] == before["test_accuracy"]


def test_a_tuned_network_can_be_tuned_further(home: Home, blobs: DataSet, tmp_path: Path) -> None:
    tuned(settings(home("conv"), "train.epochs=1"), blobs, tmp_path / "one")
    further = settings(tmp_path / "one" / "best.ckpt", "finetune.bits=4", "train.epochs=1")
    trained = tuned(further, blobs, tmp_path / "two")
    assert lower(trained.model, blobs.shape).number_format == "loihi"
    assert trained.config.model.name == "conv"


# --- stopped and taken up again -----------------------------------------------------------------


class Stops(DataSet):
    """A data set that is interrupted after some batches."""

    left = 0

    def take(self, indices: Indices, steps: int) -> Batch:
        Stops.left -= 1
        if Stops.left < 0:
            raise KeyboardInterrupt
        return super().take(indices, steps)


def everything(folder: Path) -> list[Any]:
    last = checkpoint.load(folder / "last.ckpt")
    moments = [
        {k: v.tolist() for k, v in s.items()} for s in last.state["optimiser"]["state"].values()
    ]
    best = checkpoint.load(folder / "best.ckpt")
    return [trained_digest(last.model), trained_digest(best.model), moments]


@pytest.mark.parametrize("numbers", ["loihi", "real"])
@pytest.mark.parametrize("after", [9, 17])
def test_resuming_is_exact(
    home: Home, blobs: DataSet, tmp_path: Path, numbers: str, after: int
) -> None:
    config = settings(home("conv"), f"finetune.numbers={numbers}")
    whole = tuned(config, blobs, tmp_path / "whole")
    Stops.left = after
    with pytest.raises(KeyboardInterrupt):
        stops = Stops(blobs.name, blobs.x, blobs.y, blobs.splits, blobs.classes)
        tuned(config, blobs, tmp_path / "parts", dataset=stops)

    def never() -> NoReturn:
        raise AssertionError("a run that is resumed has its own graph")

    resolved = begun(config, blobs)[0]
    resumed = fit(resolved, tmp_path / "parts", resume=True, dataset=blobs, start=never)
    assert trained_digest(resumed.model) == trained_digest(whole.model)
    assert everything(tmp_path / "parts") == everything(tmp_path / "whole")


def test_another_start_does_not_resume_a_run(home: Home, blobs: DataSet, tmp_path: Path) -> None:
    path = tmp_path / "start.ckpt"
    path.write_bytes(home("conv").read_bytes())
    tuned(settings(path, "train.epochs=1"), blobs, tmp_path / "run")
    other = checkpoint.load(path)
    next(iter(other.model.parameters())).data += 1e-3
    checkpoint.save(path, other)
    with pytest.raises(ConfigError, match="begun with finetune.digest = "):
        tuned(settings(path, "train.epochs=1"), blobs, tmp_path / "run", resume=True)
    for change in ("finetune.bits=5", "finetune.method=max"):
        with pytest.raises(ConfigError, match="was begun with finetune"):
            tuned(
                settings(home("conv"), "train.epochs=1", change),
                blobs,
                tmp_path / "run",
                resume=True,
            )


# --- what cannot be -----------------------------------------------------------------------------


def test_a_checkpoint_of_another_model(home: Home, blobs: DataSet) -> None:
    with pytest.raises(CheckpointError, match=r"another model: its model.channels is \(5, 4\)"):
        begun(settings(home("conv"), "model.channels=[5]"), blobs)
    with pytest.raises(CheckpointError, match="its model.neuron.kind is 'cuba'"):
        begun(settings(home("recurrent"), "model.name=recurrent", "model.hidden=[9]"), blobs)
    with pytest.raises(CheckpointError, match="holds other weights than finetune.digest"):
        begun(settings(home("conv"), "finetune.digest=abc"), blobs)
    with pytest.raises(CheckpointError, match="there is no checkpoint nowhere.ckpt"):
        begun(settings(Path("nowhere.ckpt")), blobs)


def test_other_data(home: Home, blobs: DataSet, tmp_path: Path) -> None:
    x = np.zeros((150, 1, 7, 8), np.float32)
    other = DataSet("stripes", x, blobs.y, blobs.splits, classes=3)
    with pytest.raises(CheckpointError, match=r"takes samples of \[1, 8, 8\].*stripes has 3 of"):
        tuned(settings(home("conv")), blobs, tmp_path, dataset=other)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
def test_numbers_that_do_not_hold_integers(
    home: Home, blobs: DataSet, tmp_path: Path, precision: str
) -> None:
    config = settings(home("conv"), f"run.precision={precision}")
    with pytest.raises(ConfigError, match="run.precision is .* does not hold the chip's integers"):
        tuned(config, blobs, tmp_path)


def test_a_start_where_none_is_meant(home: Home, blobs: DataSet, tmp_path: Path) -> None:
    config, start = begun(settings(home("conv")), blobs)
    with pytest.raises(ConfigError, match="have a section .finetune.: give its start"):
        fit(config, tmp_path, dataset=blobs)
    with pytest.raises(ConfigError, match="no section"):
        fit(parse("", overrides=QUICK), tmp_path, dataset=blobs, start=start)


def test_a_model_that_the_chip_cannot_hold_is_named(
    home: Home, blobs: DataSet, tmp_path: Path
) -> None:
    config = parse("", overrides=[*QUICK, *MODELS["conv"], "model.neuron.v_reset=0.25"])
    fit(config, tmp_path / "run", dataset=blobs)
    with pytest.raises(ValueError, match="node 'lif1': resets to a value other than 0"):
        begun(settings(tmp_path / "run" / "best.ckpt"), blobs)[1]()
    real = begun(settings(tmp_path / "run" / "best.ckpt", "finetune.numbers=real"), blobs)[1]()
    assert real.chip is None


@pytest.mark.parametrize("kind", ["loihi", "real"])
@pytest.mark.parametrize("name", MODELS)
def test_regularisers_see_what_they_saw_in_training(
    name: str, kind: str, home: Home, blobs: DataSet
) -> None:
    start = begun(settings(home(name), f"finetune.numbers={kind}"), blobs)[1]()
    x = torch.tensor(blobs.take(blobs.indices("train")[:8], 4)[0])
    graph, model = GraphNet(start), checkpoint.load(home(name)).model
    given = Regularisers(spikes=1.0, l2=0.5)
    found = []
    for net in (graph, model):
        with listening(net, given) as heard:
            net(x)
        found.append((len(synapses(net)), len(synapses(net, into_neurons=True))))
        populations = {"conv": 2, "recurrent": 1, "max": 2 if net is graph else 1}
        assert len(heard) == populations[name]  # of max pooling, the one that a pass added too
        assert heard[0].sum() > 0
        cost = regularised(net, given, heard)
        assert cost is not None
        grads = torch.autograd.grad(cost, list(net.parameters()), allow_unused=True)
        assert any(g is not None and g.any() for g in grads)
    assert found[0] == found[1]


def test_spikes_go_straight_to_the_chip(blobs: DataSet, tmp_path: Path) -> None:
    seen = (blobs.x > np.median(blobs.x)).astype(np.float32)
    spikes = replace(blobs, x=seen, content="spikes")
    config = parse("", overrides=[*QUICK, *MODELS["conv"], "train.epochs=1"])
    fit(config, tmp_path / "run", dataset=spikes)
    trained = checkpoint.load(tmp_path / "run" / "best.ckpt")
    assert trained.content == "spikes"
    start = begun(settings(tmp_path / "run" / "best.ckpt"), spikes)[1]()
    assert start.chip is not None
    for network in (start.real, start.chip):
        (name,) = network.inputs
        node = network.nodes[name]
        assert isinstance(node, Input) and node.content == "spikes"
    assert not start.chip.named(ToChip)


def test_a_damaged_graph_in_a_checkpoint(home: Home, blobs: DataSet, tmp_path: Path) -> None:
    tuned(settings(home("conv"), "train.epochs=1"), blobs, tmp_path)
    content = torch.load(tmp_path / "best.ckpt", weights_only=True)
    content["start"]["chip"] = content["start"]["chip"][:-100]
    torch.save(content, tmp_path / "cut.ckpt")
    with pytest.raises(CheckpointError, match="cut.ckpt does not hold the model"):
        checkpoint.load(tmp_path / "cut.ckpt")


@pytest.mark.parametrize("numbers", ["loihi", "real"])
def test_spikes_in_bytes_change_no_bit(
    numbers: str, home: Home, blobs: DataSet, tmp_path: Path
) -> None:
    given = [f"finetune.numbers={numbers}", "train.epochs=1"]
    plain, lean = (
        tuned(settings(home("conv"), *given, f"run.spike_bytes={way}"), blobs, tmp_path / way)
        for way in ("false", "true")
    )
    assert plain.metrics["digest"] == lean.metrics["digest"]
    assert plain.metrics["digest"] != trained_digest(checkpoint.load(home("conv")).model)
