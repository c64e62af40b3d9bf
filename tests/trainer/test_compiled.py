"""Training by torch.compile: the same net, the same draws, clear refusals."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from spikeport.core import settings
from spikeport.core.errors import ConfigError, TrainingError
from spikeport.core.settings import ConvNet, Run, Train, TrainConfig
from spikeport.trainer import compiled, loop
from spikeport.trainer.loop import fit
from spikeport.trainer.models import build

RUN: dict[str, Any] = {
    "accelerator": "cpu",
    "progress": False,
    "loggers": ("csv",),
    "threads": 1,
}


def config(epochs: int = 2, **run: Any) -> TrainConfig:
    return TrainConfig(
        data=settings.Data(name="digits", steps=4, samples=256),
        model=ConvNet(channels=(4, 6), dropout=0.2),
        train=Train(epochs=epochs, batch=64),
        run=Run(**RUN, **run),
    )


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, compiled.COMPILERS)), reason="no C++ compiler")
def test_it_trains_the_same_net_and_goes_on(tmp_path: Path) -> None:
    """Random draws are the same; sums are in another order, so that weights drift apart by
    rounding and by the few spikes that it moves."""
    plain = fit(config(), tmp_path / "plain")
    made = fit(config(compile=True), tmp_path / "compiled")
    names = list(plain.model.state_dict())
    assert list(made.model.state_dict()) == names
    for name in names:
        a, b = plain.model.state_dict()[name], made.model.state_dict()[name]
        torch.testing.assert_close(a.float(), b.float(), rtol=0.05, atol=0.01)
    whole = fit(config(3, compile=True), tmp_path / "whole")

    keep = loop.Run.keep

    def until(run: loop.Run) -> None:
        keep(run)
        if run.epoch == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Run, "keep", until)
        with pytest.raises(KeyboardInterrupt):
            fit(config(3, compile=True), tmp_path / "parts")
    parts = fit(config(3, compile=True), tmp_path / "parts", resume=True)
    for name in names:
        assert torch.equal(whole.model.state_dict()[name], parts.model.state_dict()[name]), name


def test_what_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = config(compile=True)
    net = build(made.model, (1, 8, 8), 10)
    for other in ({"checkpoint_steps": 2}, {"spike_bytes": True}):
        both = config(compile=True, **other)
        with pytest.raises(ConfigError, match=f"{next(iter(other))} are both set"):
            compiled.compiled(net, torch.nn.Identity(), both, "cpu")
    heard = {"regularisers": {"spikes": 1.0}}
    listens = made.model_copy(update={"train": Train.model_validate(heard)})
    with pytest.raises(ConfigError, match="regularisers.spikes listens to layers"):
        compiled.compiled(net, net, listens, "cpu")
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    with pytest.raises(ConfigError, match=r"needs a C\+\+ compiler .*no-compiler is not there"):
        compiled.compiled(net, net, made, "cpu")
    assert compiled.compiled(net, net, config(), "cpu") is net


def test_a_failure_is_one_line() -> None:
    from torch._dynamo.exc import TorchDynamoException

    with pytest.raises(TrainingError, match=r"^torch.compile failed: odd; set run.compile to"):
        with compiled.compiling(Run(compile=True)):
            raise TorchDynamoException("odd\nand more")
