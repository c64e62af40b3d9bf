"""Gradient checkpointing over time: the same outputs and gradients, with less kept."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spikeport.core import settings
from spikeport.core.errors import ConfigError
from spikeport.core.settings import ConvNet, FeedForwardNet, RecurrentNet, Run, Train, TrainConfig
from spikeport.trainer.loop import fit
from spikeport.trainer.machine import seed_all
from spikeport.trainer.models import build
from spikeport.trainer.segments import Segmented, segmented

SHAPE, STEPS = (1, 8, 8), 10
SURROGATE = {"kind": "superspike", "width": 0.5}
NEURONS: dict[str, dict[str, Any]] = {
    "if": {"kind": "if", "reset": "subtract"},
    "lif": {"kind": "lif", "decay": 0.7, "learn": ("decay", "threshold"), "detach_reset": False},
    "cuba": {"kind": "cuba", "decay": 0.7, "decay_syn": 0.5},
    "zenke": {"kind": "zenke", "threshold": 0.1, "detach_reset": False},
    "plif": {"kind": "plif", "v_reset": -0.1},
    "soft": {"kind": "soft", "decay": 0.9, "test_first": True},
    "srm": {"kind": "srm", "tau_s": 2.0, "tau_r": 2.0, "threshold": 1.0},
    "srm apart": {"kind": "srm", "tau_s": 2.0, "tau_r": 3.0, "kernel": "alpha", "threshold": 1.0},
}


def net(**model: Any) -> nn.Module:
    """A small net of float64, so that only the order of sums is between two ways."""
    kinds: dict[str, Any] = {
        "conv": ConvNet,
        "feedforward": FeedForwardNet,
        "recurrent": RecurrentNet,
    }
    seed_all(3)
    made = kinds[model.pop("name")].model_validate({"norm": "none", **model})
    return build(made, SHAPE, 3).double().train()


def passed(model: nn.Module, inner: nn.Module) -> tuple[Tensor, list[Tensor]]:
    """Outputs and gradients, random draws included."""
    seed_all(5)
    x = (torch.rand(STEPS, 4, *SHAPE, dtype=torch.float64) < 0.4).double() * 2
    outputs = model(x)
    weight = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view(outputs.shape)
    grads = torch.autograd.grad((outputs * weight).sum(), list(inner.parameters()))
    return outputs.detach(), list(grads)


def same(inner: nn.Module, steps: int) -> None:
    outputs, grads = passed(Segmented(inner, steps), inner)
    wanted, right = passed(inner, inner)
    assert torch.equal(outputs, wanted)
    assert any(g.any() for g in right)
    torch.testing.assert_close(grads, right, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("steps", [1, 3, 10, 99])
@pytest.mark.parametrize("kind", NEURONS)
def test_every_neuron(kind: str, steps: int) -> None:
    neuron = {**NEURONS[kind], "surrogate": SURROGATE}
    same(net(name="feedforward", hidden=(12,), neuron=neuron, dropout=0.3), steps)


@pytest.mark.parametrize("kind", ["lif", "zenke", "soft"])
def test_populations_that_hear_themselves(kind: str) -> None:
    neuron = {**NEURONS[kind], "surrogate": SURROGATE}
    same(net(name="recurrent", hidden=(12,), neuron=neuron), 4)


@pytest.mark.parametrize("readout", ["mean", "li-max", "li-sum", "voting"])
def test_readouts_and_convolutions(readout: str) -> None:
    model = {"channels": (3, 4), "readout": readout, "readout_decay_syn": 0.6, "pool": "max"}
    same(net(name="conv", **model), 3)
    same(net(name="conv", norm="neunorm", **model), 3)
    same(net(name="conv", norm="wn", **model), 3)


def kept(model: nn.Module) -> int:
    """Bytes that a forward pass leaves for the backward one, shared memory counted once."""
    found: dict[int, int] = {}

    def pack(saved: Tensor) -> Tensor:
        storage = saved.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return saved

    x = torch.rand(64, 4, *SHAPE, dtype=torch.float64)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        outputs = model(x)
    del outputs
    return sum(found.values())


def test_less_is_kept() -> None:
    """Inside a segment nothing is; what is left is what it starts from."""
    inner = net(name="conv", channels=(8, 8), neuron={"kind": "lif"})
    assert kept(Segmented(inner, 8)) < kept(inner) / 5


def config(**run: Any) -> TrainConfig:
    return TrainConfig(
        data=settings.Data(name="digits", steps=8, samples=256, encoder=settings.Poisson()),
        model=RecurrentNet(hidden=(24,), norm="none", dropout=0.2),
        train=Train(epochs=2, batch=64),
        run=Run(accelerator="cpu", progress=False, loggers=("csv",), threads=1, **run),
    )


def test_a_run_in_segments_ends_with_nearly_the_same_weights(tmp_path: Path) -> None:
    """The same batches and random draws; sums over steps in another order. It resumes, too."""
    whole = fit(config(), tmp_path / "whole")
    parts = fit(config(checkpoint_steps=3), tmp_path / "parts")
    assert whole.metrics["seed"] == parts.metrics["seed"]
    pairs = zip(whole.model.state_dict().items(), parts.model.state_dict().items(), strict=True)
    for (name, a), (other, b) in pairs:
        assert name == other
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "model, train, says",
    [
        (ConvNet(norm="bn"), {}, r"'norm1' \(BatchNorm2d\) takes moments over all steps"),
        (ConvNet(norm="psp-bn"), {}, "takes moments"),
        (
            ConvNet(norm="none", neuron=settings.Lif(surrogate=settings.Surrogate(kind="stdb"))),
            {},
            "surrogate 'stdb'",
        ),
        (ConvNet(norm="none"), {"regularisers": {"upper": 1.0}}, "regularisers.upper takes the"),
    ],
)
def test_what_cannot_be(model: Any, train: dict[str, Any], says: str) -> None:
    made = config(checkpoint_steps=4)
    made = made.model_copy(update={"model": model, "train": Train.model_validate(train)})
    with pytest.raises(ConfigError, match=says):
        segmented(build(model, SHAPE, 3), made)
    assert segmented(nn.Identity(), config()).training
