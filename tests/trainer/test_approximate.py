"""Norms that are refused at export, after they were approximated on request."""

from typing import Any

import pytest
import torch
from torch import nn

from spikeport.core.settings import ConvNet, RecurrentNet
from spikeport.export.from_torch import lower
from spikeport.trainer.approximate import approximate
from spikeport.trainer.evaluate import accuracy
from spikeport.trainer.models import build
from spikeport.trainer.norms import BatchNorm2d, PspLayerNorm


@pytest.mark.parametrize("norm", ["psp-ln", "psp-ln-causal", "bntt"])
@pytest.mark.parametrize("family", [ConvNet, RecurrentNet])
def test_it_can_be_exported_and_says_what_it_cost(norm: str, family: Any, blobs: Any) -> None:
    torch.manual_seed(2)
    model = build(family(norm=norm, norm_steps=3), blobs.shape, 3)
    for x, _ in blobs.batches("train", 3, 45):
        model.train()(torch.from_numpy(x.copy()))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    found = approximate(model.eval(), blobs, 3)
    assert found.trained == accuracy(model, blobs, "validation", 3)
    assert found.approximated == accuracy(found.model, blobs, "validation", 3)
    assert found.drop == found.trained - found.approximated
    assert len(found.replaced) == (2 if family is ConvNet else 1)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    lower(found.model, blobs.shape)


def test_the_calibrated_number_is_the_mean_over_the_training_split(blobs: Any) -> None:
    model = nn.Sequential(PspLayerNorm(), nn.Flatten(2), nn.Linear(64, 3))
    found = approximate(model, blobs, 2, batch=13)
    x = torch.from_numpy(blobs.x[blobs.indices("train")]).double()
    assert float(found.model.get_buffer("0.running")) == pytest.approx(
        float(x.square().mean()), rel=1e-6
    )
    assert found.replaced["0"].startswith("PSP-LN over 'window' -> E = ")


def test_a_bntt_of_equal_steps_loses_nothing(blobs: Any) -> None:
    model = build(ConvNet(norm="bntt", norm_steps=3), blobs.shape, 3).double().eval()
    for name, layer in model.named_modules():
        if "norm" in name:
            layer.running_mean.copy_(torch.rand(layer.running_mean.shape[1]))
            layer.running_var.copy_(0.5 + torch.rand(layer.running_var.shape[1]))
    made = approximate(model, blobs, 3).model
    assert isinstance(made.get_submodule("norm1"), BatchNorm2d)
    x = torch.rand(3, 4, *blobs.shape, dtype=torch.float64)
    assert torch.allclose(made(x), model(x), rtol=1e-10, atol=1e-12)


def test_nothing_to_do(blobs: Any) -> None:
    model = build(ConvNet(), blobs.shape, 3).eval()
    assert approximate(model, blobs, 3).replaced == {}
