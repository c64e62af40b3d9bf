"""Short runs on real digits: every loss learns, every regulariser moves what it is for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikeport.core.config import parse
from spikeport.core.errors import ConfigError
from spikeport.core.settings import TrainConfig
from spikeport.trainer import checkpoint, data
from spikeport.trainer.data import DataSet
from spikeport.trainer.evaluate import as_tensor
from spikeport.trainer.loop import fit
from spikeport.trainer.losses import LOSSES
from spikeport.trainer.norms import NORMS
from spikeport.trainer.record import recording

QUICK = [
    "model.name=recurrent",
    "model.hidden=[48]",
    "train.batch=32",
    "train.epochs=2",
    "train.lr=0.01",
    "data.steps=4",
    "run.threads=1",
    "run.accelerator=cpu",
    "run.loggers=[]",
]


@pytest.fixture(scope="module")
def few() -> DataSet:
    """500 digits."""
    found = data.load("digits")
    parts = (found.indices("train")[:300], found.indices("validation")[:100])
    splits = {"train": parts[0], "validation": parts[1], "test": found.indices("test")[:100]}
    return DataSet("few digits", found.x, found.y, splits, 10)


def settings(*overrides: str) -> TrainConfig:
    return parse("", overrides=[*QUICK, *overrides])


def rates(model: torch.nn.Module, few: DataSet) -> dict[str, float]:
    x, _ = few.take(few.indices("validation"), 4)
    with recording(model) as traces, torch.no_grad():
        model(as_tensor(x))
    return {name: float(trace.spikes.mean()) for name, trace in traces.items()}


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_learns(loss: str, few: DataSet, tmp_path: Path) -> None:
    readout = {"max": "li-max", "sum": "li-sum", "first-spike": "first"}.get(loss, "mean")
    more = ["train.targets.true=0.75", "train.targets.false=0", "train.targets.tau=2"]
    if loss in ("spike-time", "spike-count"):
        readout = "count"
    config = settings(f"train.loss={loss}", f"model.readout={readout}", "train.epochs=4", *more)
    metrics = fit(config, tmp_path / "run", dataset=few).metrics
    assert float(metrics["test_accuracy"]) > 0.5, metrics


@pytest.mark.parametrize("name", [n for n in NORMS if n != "none"])
def test_every_norm_learns(name: str, few: DataSet, tmp_path: Path) -> None:
    more = ["train.data_start=true"] if name.startswith("wn") else []
    config = settings(f"model.norm={name}", "model.norm_steps=4", "train.epochs=4", *more)
    trained = fit(config, tmp_path / "run", dataset=few)
    assert float(trained.metrics["test_accuracy"]) > 0.5, trained.metrics
    again = checkpoint.load(tmp_path / "run" / "best.ckpt").model
    for key, value in trained.model.state_dict().items():
        assert torch.equal(again.state_dict()[key], value)


def run(few: DataSet, folder: Path, *overrides: str) -> tuple[float, Any]:
    model = fit(settings(*overrides), folder, dataset=few).model
    return np.mean(list(rates(model, few).values())).item(), model


def test_the_spike_penalty_lowers_the_rate(few: DataSet, tmp_path: Path) -> None:
    for order in (1, 2):
        found = []
        for weight in (0, 1, 10):
            given = [f"train.regularisers.spikes={weight}"]
            given += [f"train.regularisers.spikes_order={order}"]
            found.append(run(few, tmp_path / f"{order}-{weight}", *given)[0])
        assert found[0] > 1.1 * found[1] > 1.1 * 1.1 * found[2], (order, found)


def test_bounds_and_weights(few: DataSet, tmp_path: Path) -> None:
    def with_(name: str, *more: str) -> tuple[float, Any]:
        given = [f"train.regularisers.{text}" for text in more]
        return run(few, tmp_path / name, *given)

    plain, model = with_("plain")
    assert with_("upper", "upper=1.0", "upper_bound=0.1")[0] < plain
    assert with_("total", "total_spikes=1e-4")[0] < plain
    assert with_("lower", "lower=10.0", "lower_bound=3.0")[0] > plain
    size = {
        name: float(m.get_parameter("linear1.weight").square().sum())
        for name, m in (("plain", model), ("l2", with_("l2", "l2=0.01")[1]))
    }
    assert size["l2"] < 0.9 * size["plain"]
    sums = [
        float(m.get_parameter("linear1.weight").sum(1).clamp(max=1).mean())
        for m in (model, with_("sum", "weight_sum=1.0")[1])
    ]
    assert sums[1] > sums[0]


def test_a_start_from_data_needs_weight_norm(few: DataSet, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the model has none; take model.norm=wn"):
        fit(settings("train.data_start=true"), tmp_path / "run", dataset=few)


@pytest.mark.parametrize("encoder", ["poisson", "latency-linear", "dct"])
def test_a_run_hears_through_its_encoder(encoder: str, few: DataSet, tmp_path: Path) -> None:
    config = settings(f"data.encoder={encoder}", "data.steps=8", "train.epochs=4")
    metrics = fit(config, tmp_path / "run", dataset=few).metrics
    assert float(metrics["test_accuracy"]) > 0.3, metrics
    again = fit(config, tmp_path / "again", dataset=few).metrics
    assert again["digest"] == metrics["digest"]
