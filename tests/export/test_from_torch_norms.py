"""Every norm that settings can name: exported exactly, or refused by name with a next move."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.core import interpreter
from spikeport.core.errors import PassError, UnsupportedNode
from spikeport.core.nodes import BatchNorm
from spikeport.core.schedule import compile
from spikeport.core.settings import ConvNet, NormName, RecurrentNet
from spikeport.export import recipes
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.layers import Conv2d, Linear
from spikeport.trainer.models import build
from spikeport.trainer.neurons import LIF
from spikeport.trainer.norms import NORMS, BatchNorm2d, NeuNorm, PspBatchNorm, PspLayerNorm

STEPS = 5


def trained(name: str, family: str, seed: int) -> tuple[nn.Module, tuple[int, ...]]:
    """A model with moments of its own and weights that make it spike."""
    torch.manual_seed(seed)
    given: dict[str, Any] = {"norm": name, "norm_steps": STEPS}
    if family == "conv":
        shape: tuple[int, ...] = (2, 8, 8)
        config: Any = ConvNet(channels=(4, 5), pool="avg", **given)
    else:
        shape, config = (12,), RecurrentNet(hidden=(9, 7), **given)
    model = build(config, shape, 3).double()
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "norm" in key or "original0" in key:
                p.copy_(p + 0.3 * torch.rand_like(p))
            elif p.ndim > 1:
                p.mul_(2)
        for _ in range(4):
            model.train()(torch.rand(STEPS, 6, *shape, dtype=torch.float64) * 2)
    return model.eval(), shape


def test_the_settings_name_what_there_is() -> None:
    assert set(get_args(NormName)) == set(NORMS)


@pytest.mark.parametrize("family", ["conv", "recurrent"])
@pytest.mark.parametrize("name", NORMS)
def test_exact_or_refused(name: str, family: str) -> None:
    outcome = NORMS[name].deployed.outcome
    for seed in range(2):
        model, shape = trained(name, family, seed)
        if name == "bntt" and family == "recurrent":
            with pytest.raises(UnsupportedNode, match="heard by layer 'recurrent1'"):
                lower(model, shape)
            continue
        if outcome == "refused":
            with pytest.raises(UnsupportedNode, match=r"layer '(pre)?norm1'.*approximate"):
                lower(model, shape)
            continue
        assert outcome == "exact"
        network = run_passes(lower(model, shape), recipes.FLOAT).network
        assert not network.named(BatchNorm)
        x = np.random.default_rng(seed).random((STEPS, 24, *shape)) * 2
        outputs, spikes = run_recorded(model, x)
        ours = interpreter.run(compile(network), {network.inputs[0]: x}, ("all",))
        assert sum(int(s.sum()) for s in spikes.values()) > 100
        for layer, theirs in spikes.items():
            name_of = layer if layer in ours.spikes else layer.removesuffix(".neuron")
            assert (ours.spikes[name_of] == theirs).all(), layer
        assert np.abs(ours.outputs["output"] - outputs).max() < 1e-9


def test_a_psp_norm_before_a_padded_convolution_is_exact_at_the_border() -> None:
    torch.manual_seed(3)
    norm = PspBatchNorm(4)
    norm.running.copy_(torch.tensor([0.2, 3.0, 0.5, 1.5]))
    conv = Conv2d(4, 6, 3, padding=1, groups=2)
    model = nn.Sequential(norm, conv, LIF(), Conv2d(6, 2, 3)).double().eval()
    network = run_passes(lower(model, (4, 5, 5)), recipes.FLOAT).network
    folded = network.nodes["1"].weight  # type: ignore[attr-defined]
    gain = norm.gain().detach().double().numpy()
    weight = conv.weight.detach().double().numpy()
    for out in range(6):
        for channel in range(2):
            of = (out // 3) * 2 + channel
            assert np.allclose(folded[out, channel], weight[out, channel] * gain[of], rtol=1e-14)
    x = np.random.default_rng(0).random((4, 3, 4, 5, 5))
    outputs, spikes = run_recorded(model, x)
    ours = interpreter.run(compile(network), {network.inputs[0]: x}, ("all",))
    assert (ours.spikes["2"] == spikes["2"]).all() and spikes["2"].any()
    assert np.abs(ours.outputs["output"] - outputs).max() < 1e-12


def test_a_shift_before_a_padded_convolution_is_refused() -> None:
    norm = BatchNorm2d(2)
    nn.init.ones_(norm.bias)
    network = lower(nn.Sequential(norm, Conv2d(2, 3, 3, padding=1), LIF()), (2, 5, 5))
    with pytest.raises(PassError, match="neither mean nor bias"):
        run_passes(network, recipes.FLOAT)


def test_a_scale_into_neurons_is_refused() -> None:
    model = nn.Sequential(LIF(), PspLayerNorm(over="calibrated"), LIF())
    with pytest.raises(PassError, match=r"heard by 2 \(LIF\)"):
        run_passes(lower(model, (4,)), recipes.FLOAT)


def test_neunorm_is_a_leaky_integrator_per_pixel() -> None:
    model = nn.Sequential(Conv2d(1, 3, 3), LIF(), NeuNorm((3, 4, 4)), Conv2d(3, 2, 3), LIF())
    network = lower(model, (1, 6, 6))
    pixels = network.nodes["2.pixels"]
    assert (pixels.kind, pixels.output_shape((1, 4, 4))) == ("LI", (1, 4, 4))
    assert network.sources["3"] == ("1", "2.weight")


def test_linear_behind_flat_psp_norm() -> None:
    model = nn.Sequential(PspBatchNorm(4), Linear(4, 3), LIF())
    network = run_passes(lower(model, (4,)), recipes.FLOAT).network
    assert set(network.nodes) == {"input", "1", "2", "output"}


def test_the_fold_with_its_eps(vector: Any) -> None:
    inputs, expected = vector("bn_fold_eq6_conv2ch")
    conv, norm = Conv2d(2, 2, 3, padding=1).double(), BatchNorm2d(2, inputs["eps"]).double()
    given_ = (conv.weight, conv.bias, norm.weight, norm.bias, norm.running_mean, norm.running_var)
    names = ("W", "b", "gamma", "beta", "running_mean", "running_var")
    with torch.no_grad():
        for values, name in zip(given_, names, strict=True):
            assert values is not None
            values.copy_(torch.tensor(inputs[name], dtype=torch.float64))
    x = torch.tensor(inputs["x"], dtype=torch.float64)[None]
    y = nn.Sequential(conv, norm).eval()(x)[0].detach().numpy()
    assert np.abs(y - np.array(expected["y"])).max() < 1e-9
    model = nn.Sequential(conv, norm, LIF())
    folded: Any = run_passes(lower(model, (2, 4, 4)), recipes.FLOAT).network.nodes["0"]
    assert np.abs(folded.weight - np.array(expected["W_hat"])).max() < 1e-9
    assert np.abs(folded.bias - np.array(expected["b_hat"])).max() < 1e-9
