"""Stages of a run: time inheritance, a switch of the loss, what carries over and what does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikeport.core.config import parse
from spikeport.core.errors import ConfigError, DataError
from spikeport.trainer import checkpoint
from spikeport.trainer.data import DataSet
from spikeport.trainer.loop import Run, fit
from spikeport.trainer.optimiser import learning_rate
from spikeport.trainer.stages import cost, phase_at, phases

BASE = """
[data]
steps = 4
[model]
name = "conv"
channels = [2]
[train]
epochs = 2
batch = 30
lr = 0.1
loss = "tet"
before = [{}]
[run]
progress = false
loggers = []
threads = 1
"""
TIT = BASE.format("{epochs = 2, steps = 2, lr = 0.5}")
SWITCH = BASE.format('{epochs = 1, loss = "sdt"}')


def test_time_inheritance_has_schedules_of_its_own() -> None:
    first, last = phases(parse(TIT))
    assert (first.first, first.end, first.steps, first.loss) == (0, 2, 2, "tet")
    assert (last.first, last.end, last.steps) == (2, 4, 4)
    assert first.begins_schedule and last.begins_schedule
    assert learning_rate(first.schedule, 0, 1) == 0.5 and learning_rate(last.schedule, 0, 1) == 0.1
    assert learning_rate(first.schedule, 1, 1) == pytest.approx(0.25)


def test_a_switch_of_the_loss_shares_one_schedule() -> None:
    first, last = phases(parse(SWITCH))
    assert (first.loss, last.loss) == ("sdt", "tet") and not last.begins_schedule
    one = parse("[train]\nepochs = 3\nlr = 0.1").train
    for epoch in range(3):
        phase = phase_at((first, last), epoch)
        assert learning_rate(phase.schedule, epoch - phase.origin, 7) == learning_rate(
            one, epoch, 7
        )


def test_cost(vector: Any) -> None:
    _, expected = vector("tit_cost")
    tit = parse(
        "[data]\nsteps = 6\n[train]\nepochs = 50\nbefore = [{epochs = 300, steps = 2, lr = 1e-3}]"
    )
    scratch = parse("[data]\nsteps = 6\n[train]\nepochs = 300")
    assert (cost(phases(scratch)), cost(phases(tit))) == (expected["scratch"], expected["tit"])


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(run / "last.ckpt").model.state_dict()


@pytest.mark.parametrize("text", [TIT, SWITCH])
def test_stopped_between_stages_goes_on_to_the_same_bits(
    text: str, blobs: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = parse(text)
    fit(config, tmp_path / "whole", dataset=blobs)
    epochs = phases(config)[-1].end
    keep = Run.keep

    def stopped(run: Run) -> None:
        keep(run)
        raise KeyboardInterrupt

    for _ in range(epochs):  # stopped after every epoch
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Run, "keep", stopped)
            fit(config, tmp_path / "parts", resume=True, dataset=blobs)
    metrics = fit(config, tmp_path / "parts", resume=True, dataset=blobs).metrics
    one, two = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert int(metrics["epoch"]) > phases(config)[-1].first  # chosen among the last stage's
    assert metrics["step_epochs"] == cost(phases(config))


def test_the_first_stage_runs_fewer_steps(blobs: DataSet, tmp_path: Path) -> None:
    heard: list[int] = []

    class Counted(DataSet):
        def take(self, indices: Any, steps: int) -> Any:
            heard.append(steps)
            return super().take(indices, steps)

    given = Counted(blobs.name, blobs.x, blobs.y, blobs.splits, blobs.classes)
    fit(parse(TIT), tmp_path / "run", dataset=given)
    assert heard[0] == 2 and heard[-1] == 4 and heard == sorted(heard)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TIT.replace("channels = [2]", 'channels = [2]\nnorm = "bntt"\nnorm_steps = 4'), "bntt"),
        (BASE.format('{epochs = 1, loss = "spike-count"}'), "looks at output spikes"),
        (BASE.format("{epochs = 0}"), "epochs"),
        (BASE.format("{epochs = 1, rate = 1}"), "rate"),
    ],
)
def test_stages_that_do_not_fit(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(text)
    assert ": .train" not in str(caught.value)


def test_samples_in_time_have_their_steps(tmp_path: Path) -> None:
    x = np.zeros((30, 4, 1, 8, 8), np.float32)
    splits = {"train": np.arange(20), "validation": np.arange(20, 25), "test": np.arange(25, 30)}
    given = DataSet("film", x, np.arange(30) % 3, splits, 3, temporal=True)
    with pytest.raises(DataError, match="has 4 steps, 2 are asked for"):
        fit(parse(TIT), tmp_path / "run", dataset=given)


def test_settings_are_written_and_read_again() -> None:
    assert parse(parse(TIT).to_toml()) == parse(TIT)
