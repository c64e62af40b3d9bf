"""Training: it learns, it can be stopped and taken up again to the bit, and it fails well."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from spikeport.core.config import load, parse
from spikeport.core.errors import CheckpointError, ConfigError, DataError, TrainingError
from spikeport.core.settings import TrainConfig
from spikeport.trainer import checkpoint
from spikeport.trainer.checkpoint import trained_digest
from spikeport.trainer.data.dataset import Batch, DataSet, Indices
from spikeport.trainer.evaluate import accuracy
from spikeport.trainer.loop import fit
from spikeport.trainer.losses import total

QUICK = ["train.batch=16", "run.threads=1", "run.accelerator=cpu", "run.loggers=[]"]
SMALL = [*QUICK, "model.channels=[6]", "train.epochs=4", "train.lr=0.01"]


def settings(*overrides: str) -> TrainConfig:
    return parse("", overrides=[*SMALL, *overrides])


class Stops(DataSet):
    """A data set that is interrupted after some batches."""

    left = [0]

    def take(self, indices: Indices, steps: int) -> Batch:
        self.left[0] -= 1
        if self.left[0] < 0:
            raise KeyboardInterrupt
        return super().take(indices, steps)


def stopping(data: DataSet, after: int) -> Stops:
    Stops.left[0] = after
    return Stops(data.name, data.x, data.y, data.splits, data.classes)


def names(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_it_learns(blobs: DataSet, tmp_path: Path) -> None:
    trained = fit(settings(), tmp_path / "run", dataset=blobs)
    assert float(trained.metrics["test_accuracy"]) > 0.9
    assert trained.metrics["test_accuracy"] == accuracy(trained.model, blobs, "test", 4)
    assert not trained.model.training
    assert names(tmp_path / "run") == {"best.ckpt", "last.ckpt", "config.toml", "metrics.json"}
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == trained.metrics
    assert load(tmp_path / "run" / "config.toml") == settings()
    best = checkpoint.load(tmp_path / "run" / "best.ckpt")
    assert best.metrics == trained.metrics
    assert trained_digest(best.model) == trained_digest(trained.model) == trained.metrics["digest"]


def test_the_best_model_is_what_comes_out(blobs: DataSet, tmp_path: Path) -> None:
    steady = ["train.schedule=constant", "train.lr=0.02"]
    long = fit(settings(*steady, "train.epochs=8"), tmp_path / "long", dataset=blobs)
    best = int(long.metrics["epoch"])
    assert best < 8
    short = fit(settings(*steady, f"train.epochs={best}"), tmp_path / "short", dataset=blobs)
    assert trained_digest(long.model) == trained_digest(short.model)
    found = accuracy(long.model, blobs, "validation", 4)
    assert found == long.metrics["validation_accuracy"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model.name=recurrent", "model.hidden=[20]", "model.neuron.kind=cuba"],
        ["train.loss=sdt", "train.optimiser=sgd", "train.mse_weight=0.05", "train.clip=1.0"],
        ["model.norm=tdbn", "model.pool=max", "model.neuron.learn=['decay']", "train.warmup=1.0"],
        ["model.neuron.kind=if", "model.neuron.reset=subtract", "train.schedule=constant"],
        ["run.precision=64-true", "run.channels_last=true", "run.deterministic=false"],
        ["run.precision=bf16-mixed", "model.neuron.surrogate.kind=atan", "model.dropout=0.1"],
    ],
    ids=str,
)
def test_it_learns_by_other_means(blobs: DataSet, tmp_path: Path, overrides: list[str]) -> None:
    overrides = overrides[:1] + ["train.epochs=6"] + overrides[1:]
    if "recurrent" in overrides[0]:
        config = parse("", overrides=[*QUICK, "train.lr=0.01", *overrides])
    else:
        config = settings(*overrides)
    trained = fit(config, tmp_path, dataset=blobs)
    assert float(trained.metrics["test_accuracy"]) > 0.8
    again = checkpoint.load(tmp_path / "best.ckpt")
    assert trained_digest(again.model) == trained.metrics["digest"]


def test_the_seed_decides(blobs: DataSet, tmp_path: Path) -> None:
    config = settings("train.epochs=2", "model.dropout=0.2")
    digests = []
    for n, seed in enumerate((1, 1, 2)):
        torch.rand(n)  # what happened before does not matter
        trained = fit(config.model_copy(update={"seed": seed}), tmp_path / str(n), dataset=blobs)
        digests.append(trained.metrics["digest"])
    assert digests[0] == digests[1] != digests[2]


class Listens(DataSet):
    """A data set that notes what is taken from it."""

    taken: ClassVar[list[list[int]]] = []

    def take(self, indices: Indices, steps: int) -> Batch:
        self.taken.append(indices.tolist())
        return super().take(indices, steps)


def test_every_epoch_has_an_order_of_its_own(blobs: DataSet, tmp_path: Path) -> None:
    Listens.taken.clear()
    data = Listens(blobs.name, blobs.x, blobs.y, blobs.splits, blobs.classes)
    fit(settings("train.epochs=2", "train.batch=45"), tmp_path, dataset=data)
    first, second = sum(Listens.taken[:2], []), sum(Listens.taken[3:5], [])
    assert sorted(first) == sorted(second) == blobs.indices("train").tolist()
    assert first != second


def test_what_torch_was_set_to_is_put_back(blobs: DataSet, tmp_path: Path) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fit(settings("train.epochs=1", "run.threads=3"), tmp_path / "a", dataset=blobs)
    with pytest.raises(KeyboardInterrupt):
        fit(settings("run.threads=3"), tmp_path / "b", dataset=stopping(blobs, 2))
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())


# --- stopped and taken up again ---------------------------------------------------------------


def everything(folder: Path) -> list[Any]:
    """What must not differ: weights, moments and optimiser of last.ckpt, weights of best.ckpt."""
    last = checkpoint.load(folder / "last.ckpt")
    state = last.state["optimiser"]["state"]
    moments = {k: {n: v.tolist() for n, v in s.items()} for k, s in state.items()}
    best = checkpoint.load(folder / "best.ckpt")
    return [trained_digest(last.model), trained_digest(best.model), moments, last.state["best"]]


@pytest.mark.parametrize("after", [3, 9, 17, 22])
@pytest.mark.parametrize("kind", ["conv", "recurrent"])
def test_resuming_is_exact(blobs: DataSet, tmp_path: Path, after: int, kind: str) -> None:
    config = settings("model.dropout=0.3", "train.warmup=0.5")
    if kind == "recurrent":
        quick = [*QUICK, "train.epochs=4", "model.dropout=0.3", "train.optimiser=sgd"]
        config = parse("", overrides=[*quick, "model.name=recurrent", "model.hidden=[9]"])
    whole = fit(config, tmp_path / "whole", dataset=blobs)
    with pytest.raises(KeyboardInterrupt):
        fit(config, tmp_path / "parts", dataset=stopping(blobs, after))
    left = {"config.toml"} if after < 7 else {"config.toml", "last.ckpt", "best.ckpt"}
    assert names(tmp_path / "parts") == left
    torch.rand(3)
    resumed = fit(config, tmp_path / "parts", resume=True, dataset=blobs)
    assert trained_digest(resumed.model) == trained_digest(whole.model)
    assert everything(tmp_path / "parts") == everything(tmp_path / "whole")
    same = {k: v for k, v in whole.metrics.items() if k != "seconds"}
    assert same == {k: v for k, v in resumed.metrics.items() if k != "seconds"}


SCRIPT = """
import sys
from pathlib import Path
from spikeport.core.config import load
from spikeport.trainer.loop import fit
fit(load(Path(sys.argv[1])), Path(sys.argv[2]), resume="resume" in sys.argv)
"""


def launched(config: TrainConfig, folder: Path) -> "subprocess.Popen[bytes]":
    """A training run in a process of its own."""
    (folder / "run.toml").write_text(config.to_toml())
    (folder / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(folder / "script.py"), str(folder / "run.toml")]
    return subprocess.Popen([*command, str(folder / "run")], stderr=subprocess.PIPE)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainConfig, str]:
    """(settings, digest) of a run that was left alone."""
    config = parse(
        "", overrides=[*QUICK, "train.epochs=20", "model.channels=[2]", "train.batch=64"]
    )
    trained = fit(config, tmp_path_factory.mktemp("long"))
    return config, trained_digest(trained.model)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_resuming_after_a_signal(
    long: tuple[TrainConfig, str], tmp_path: Path, how: signal.Signals
) -> None:
    config, digest = long
    process = launched(config, tmp_path)
    last = tmp_path / "run" / "last.ckpt"
    started = time.monotonic()
    while not last.exists() and process.poll() is None and time.monotonic() - started < 600:
        time.sleep(0.01)
    process.send_signal(how)
    process.communicate(timeout=600)
    assert process.returncode != 0
    assert 0 < checkpoint.load(last).state["epoch"] < 20
    assert not (last.parent / "metrics.json").exists()
    if how == signal.SIGINT:
        assert names(last.parent) == {"config.toml", "last.ckpt", "best.ckpt"}
    resumed = fit(config, last.parent, resume=True)
    assert trained_digest(resumed.model) == digest


def test_a_finished_run_is_resumed_at_its_end(blobs: DataSet, tmp_path: Path) -> None:
    whole = fit(settings("train.epochs=1"), tmp_path, dataset=blobs)
    (tmp_path / "metrics.json").unlink()
    again = fit(settings("train.epochs=1"), tmp_path, resume=True, dataset=blobs)
    assert again.metrics == whole.metrics
    assert (tmp_path / "metrics.json").exists()


def test_another_run_is_not_overwritten(blobs: DataSet, tmp_path: Path) -> None:
    fit(settings("train.epochs=1"), tmp_path, dataset=blobs)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(ConfigError, match=r"already holds a run \(last.ckpt, best.ckpt, metric"):
        fit(settings("train.epochs=1"), tmp_path, dataset=blobs)
    with pytest.raises(ConfigError, match="begun with train.lr = 0.01, not 0.5"):
        fit(settings("train.epochs=1", "train.lr=0.5"), tmp_path, resume=True, dataset=blobs)
    assert before == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_where_it_is_computed_may_change(blobs: DataSet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(settings(), tmp_path, dataset=stopping(blobs, 9))
    fit(settings("run.eval_batch=7", "run.threads=2"), tmp_path, resume=True, dataset=blobs)
    assert (tmp_path / "metrics.json").exists()


def test_a_damaged_point_to_go_on_from(blobs: DataSet, tmp_path: Path) -> None:
    fit(settings("train.epochs=1"), tmp_path, dataset=blobs)
    (tmp_path / "last.ckpt").write_bytes(b"half a file")
    with pytest.raises(CheckpointError, match="last.ckpt cannot be read"):
        fit(settings("train.epochs=1"), tmp_path, resume=True, dataset=blobs)
    (tmp_path / "last.ckpt").write_bytes((tmp_path / "best.ckpt").read_bytes())
    with pytest.raises(CheckpointError, match="last.ckpt is no point to go on from"):
        fit(settings("train.epochs=1"), tmp_path, resume=True, dataset=blobs)


def test_going_on_with_other_data(blobs: DataSet, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(settings(), tmp_path, dataset=stopping(blobs, 9))
    with pytest.raises(CheckpointError, match=r"begun on 3 classes of \[1, 8, 8\]; blobs has 4"):
        fit(settings(), tmp_path, resume=True, dataset=replace(blobs, classes=4))


# --- what goes wrong --------------------------------------------------------------------------


def test_a_loss_that_is_no_number(
    blobs: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def poisoned(*args: Any) -> torch.Tensor:
        calls.append(1)
        return total(*args) * (float("nan") if len(calls) == 5 + 3 else 1.0)

    monkeypatch.setattr("spikeport.trainer.loop.total", poisoned)
    with pytest.raises(TrainingError, match=r"loss is nan in epoch 2, step 3 of 5; .*last"):
        fit(settings(), tmp_path, dataset=blobs)
    assert checkpoint.load(tmp_path / "last.ckpt").state["epoch"] == 1
    assert names(tmp_path) == {"config.toml", "last.ckpt", "best.ckpt"}


def test_a_loss_that_overflows(blobs: DataSet, tmp_path: Path) -> None:
    config = settings("train.mse_weight=0.5", "train.mse_target=1e30")
    with pytest.raises(TrainingError, match="inf in epoch 1, step 1 of 5; there is no checkpoint"):
        fit(config, tmp_path, dataset=blobs)
    assert names(tmp_path) == {"config.toml"}


def test_one_class_is_nothing_to_learn(blobs: DataSet, tmp_path: Path) -> None:
    data = DataSet(blobs.name, blobs.x, np.full_like(blobs.y, 2), blobs.splits, blobs.classes)
    with pytest.raises(DataError, match="samples that are trained on are of class 2"):
        fit(settings(), tmp_path, dataset=data)
    assert not names(tmp_path)


class Breaks(Stops):
    """A data set whose batches turn to infinity after a while."""

    def take(self, indices: Indices, steps: int) -> Batch:
        self.left[0] -= 1
        x, y = DataSet.take(self, indices, steps)
        return (x, y) if self.left[0] >= 0 else (np.full(x.shape, np.inf, np.float32), y)


def test_weights_that_are_no_numbers(blobs: DataSet, tmp_path: Path) -> None:
    """Neurons that get no number never fire, so that the loss alone would not show it."""
    data = Breaks(blobs.name, blobs.x, blobs.y, blobs.splits, blobs.classes)
    Breaks.left[0] = 5 + 1 + 2  # an epoch, its validation, two batches
    config = settings("model.norm=none", "model.neuron.kind=if")
    with pytest.raises(TrainingError, match="no longer finite after epoch 2; .*last.ckpt is good"):
        fit(config, tmp_path, dataset=data)
    assert checkpoint.load(tmp_path / "last.ckpt").state["epoch"] == 1


def test_a_stage_whose_rate_is_too_high(blobs: DataSet, tmp_path: Path) -> None:
    config = settings("train.before=[{epochs=1,lr=1e38}]", "train.optimiser=sgd")
    with pytest.raises(TrainingError, match=r"train.lr \(now .*, and 1e\+38 in train.before\)"):
        fit(config, tmp_path, dataset=blobs)


def test_a_rate_that_is_too_high(blobs: DataSet, tmp_path: Path) -> None:
    config = settings("train.lr=1e38", "train.optimiser=sgd", "train.loss=sdt")
    with pytest.raises(TrainingError, match=r"train.lr \(now 1e\+38\)"):
        fit(config, tmp_path, dataset=blobs)
    assert names(tmp_path) <= {"config.toml", "last.ckpt", "best.ckpt"}


@pytest.mark.parametrize(
    "overrides, error, words",
    [
        (["data.name=nothing.npz"], DataError, "there is no data file nothing.npz"),
        (["data.name=mnist"], DataError, "no data set 'mnist'"),
        (["data.name=fashion-mnist", "data.folder=/nowhere"], DataError, "/nowhere"),
        (["model.channels=[4, 4, 4, 4]"], ConfigError, "leaves nothing"),
        (["model.neuron.decay=0.0", "model.neuron.learn=['decay']"], ConfigError, "decay is 0.0"),
        (["model.neuron.kind=zenke", "data.steps=2"], ConfigError, "answer 2 steps late"),
    ],
)
def test_what_cannot_begin_leaves_nothing(
    tmp_path: Path, overrides: list[str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        fit(settings(*overrides), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("override", ["run.accelerator=cuda", "run.strategy=magic"])
def test_devices_that_are_not_there(blobs: DataSet, tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError, match=r"under \[run\] cannot be met here: ") as caught:
        fit(settings(override), tmp_path / "run", dataset=blobs)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be(blobs: DataSet, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to"):
        fit(settings(), tmp_path / "file" / "run", dataset=blobs)


# --- logs, processes --------------------------------------------------------------------------


def test_logs(blobs: DataSet, tmp_path: Path) -> None:
    loggers = "run.loggers=['csv', 'tensorboard']"
    fit(settings("train.epochs=2", "run.log_every=2", loggers), tmp_path, dataset=blobs)
    (file,) = (tmp_path / "logs" / "csv").rglob("metrics.csv")
    rows = list(csv.DictReader(file.open()))
    assert [row["step"] for row in rows if row["loss"]] == ["2", "4", "6", "8", "10"]
    found = [float(row["validation_accuracy"]) for row in rows if row["validation_accuracy"]]
    assert len(found) == 2
    assert max(found) == checkpoint.load(tmp_path / "best.ckpt").metrics["validation_accuracy"]
    assert list((tmp_path / "logs" / "tensorboard").rglob("events.out.tfevents.*"))


@pytest.mark.parametrize("terminal, asked", [(True, True), (True, False), (False, True)])
def test_a_bar_on_a_terminal_alone(
    blobs: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    terminal: bool,
    asked: bool,
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes anything for a terminal
    config = settings("train.epochs=2", f"run.progress={str(asked).lower()}")
    fit(config, tmp_path, dataset=blobs)
    out, err = capfd.readouterr()
    assert out == ""
    if terminal and asked:
        assert "epoch 2/2, loss" in err and "10/10" in err and "0:00:00" in err
    else:
        assert err == ""


def test_tensorboard_that_is_missing(
    blobs: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match="tensorboard, which is not installed: pip install"):
        fit(settings("run.loggers=['tensorboard']"), tmp_path, dataset=blobs)


def test_the_model_is_chosen_on_validation(blobs: DataSet, tmp_path: Path) -> None:
    """Wrong labels in the test split change nothing but the report."""
    y = blobs.y.copy()
    y[blobs.indices("test")] = (y[blobs.indices("test")] + 1) % 3
    config = settings("train.epochs=3")
    honest = fit(config, tmp_path / "a", dataset=blobs)
    spoilt = fit(config, tmp_path / "b", dataset=replace(blobs, y=y))
    assert honest.metrics["digest"] == spoilt.metrics["digest"]
    assert honest.metrics["test_accuracy"] != spoilt.metrics["test_accuracy"]


def test_two_processes(tmp_path: Path) -> None:
    config = parse("", overrides=[*QUICK, "train.epochs=3", "run.devices=2", "train.lr=0.01"])
    process = launched(config, tmp_path)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said.decode()[-2000:]
    best = checkpoint.load(tmp_path / "run" / "best.ckpt")
    assert best.metrics["processes"] == 2
    assert float(best.metrics["test_accuracy"]) > 0.8
    assert best.metrics["digest"] == trained_digest(best.model)
    assert os.listdir(tmp_path / "run").count("best.ckpt") == 1


def test_a_batch_that_cannot_be_shared(blobs: DataSet, tmp_path: Path) -> None:
    config = settings("run.devices=2", "run.nodes=2", "train.batch=18")
    with pytest.raises(ConfigError, match="train.batch is 18 for 4 processes; give a multiple"):
        fit(config, tmp_path / "run", dataset=blobs)
    assert not (tmp_path / "run").exists()
