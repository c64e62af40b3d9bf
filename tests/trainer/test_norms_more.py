"""Mean-only BN, BNTT, weight norm, PSP norms and NeuNorm: the papers' numbers, and plain
float64 definitions where there are none."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.core import settings
from spikeport.core.errors import ConfigError, NetworkError, TrainingError
from spikeport.core.settings import ConvNet, Train
from spikeport.trainer import kernels
from spikeport.trainer.layers import Conv2d, Flatten, Linear, held, is_static
from spikeport.trainer.losses import slayer
from spikeport.trainer.models import build
from spikeport.trainer.neurons import LIF
from spikeport.trainer.norms import (
    BNTT,
    MeanOnlyBatchNorm,
    NeuNorm,
    PspBatchNorm,
    PspLayerNorm,
    data_dependent_start,
    effective_threshold,
    schedule,
    start_of,
    weight_normed,
)
from spikeport.trainer.optimiser import decayed, optimiser
from spikeport.trainer.potential import potential

SIZES = st.tuples(st.integers(2, 5), st.integers(2, 4), st.integers(1, 4), st.integers(1, 3))


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(found: Tensor, wanted: Any) -> bool:
    return torch.allclose(found.detach(), double(wanted), atol=1e-9, rtol=0)


def drawn(sizes: tuple[int, ...], seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*sizes, dtype=torch.float64, generator=generator)


# --- mean-only BN ------------------------------------------------------------------------------


def test_mean_only(vector: Any) -> None:
    inputs, expected = vector("mean_only_bn")
    x = double(inputs["x_TNCL"])
    plain, affine = (MeanOnlyBatchNorm(2, scale).double() for scale in (False, True))
    with torch.no_grad():
        for norm in (plain, affine):
            norm.bias.copy_(double(inputs["beta"]))
        assert affine.weight is not None
        affine.weight.copy_(double(inputs["gamma"]))
    assert close(plain(x), expected["y_no_affine_scale"])
    assert close(affine(x), expected["y_affine"])
    assert close(plain.running_mean * 10, expected["mean"])
    affine.eval()
    gamma, beta = double(inputs["gamma"])[:, None], double(inputs["beta"])[:, None]
    mean = double(expected["mean"])[:, None] / 10
    assert torch.allclose(affine(x), gamma * x + beta - gamma * mean, rtol=1e-12, atol=1e-14)


@given(SIZES, st.integers(0, 2**31))
def test_mean_only_is_its_definition(sizes: tuple[int, ...], seed: int) -> None:
    x = drawn(sizes, seed).requires_grad_()
    y = MeanOnlyBatchNorm(sizes[2]).double()(x)
    values = x.detach().numpy()
    wanted = values - values.mean((0, 1, 3))[:, None]
    assert close(y, wanted)
    up = drawn(sizes, seed + 1)
    (grad,) = torch.autograd.grad(y, x, up)
    assert close(grad, up.numpy() - up.numpy().mean((0, 1, 3))[:, None])


# --- BNTT --------------------------------------------------------------------------------------


@given(SIZES, st.integers(0, 2**31))
def test_bntt_is_a_batch_norm_of_each_step(sizes: tuple[int, ...], seed: int) -> None:
    x, norm = drawn(sizes, seed), BNTT(sizes[0], sizes[2]).double()
    with torch.no_grad():
        norm.weight.copy_(drawn(sizes[::2][:2], seed + 1))
    y = norm(x)
    for t in range(sizes[0]):
        v = x[t].numpy()
        mean, var = v.mean((0, 2)), v.var((0, 2))
        weight = norm.weight[t].detach().numpy()[:, None]
        assert close(y[t], weight * (v - mean[:, None]) / np.sqrt(var[:, None] + 1e-4))
        n = v.size // sizes[2]
        assert close(norm.running_mean[t], 0.1 * mean)
        assert close(norm.running_var[t], 0.9 + 0.1 * var * n / (n - 1))


@given(st.integers(0, 2**31), st.sampled_from(["value", "subtract"]), st.floats(0, 1))
def test_bntt_is_a_schedule_of_thresholds(seed: int, reset: Any, decay: float) -> None:
    x = 2 * drawn((6, 3, 4), seed)
    norm = BNTT(6, 4).double().eval()
    with torch.no_grad():
        norm.weight.copy_(0.3 + drawn((6, 4), seed + 1).abs())
        norm.running_mean.copy_(drawn((6, 4), seed + 2))
        norm.running_var.copy_(0.1 + drawn((6, 4), seed + 3).abs())
    spikes = LIF(decay, threshold=0.7, reset=reset)(norm(x))
    form = schedule(norm.gains(), norm.running_mean, decay, 0.7)
    v = torch.zeros(3, 4, dtype=torch.float64)
    for t in range(6):
        v = form.decay[t] * v + x[t] + form.bias[t]
        fired = (v > form.threshold[t]).double()
        assert torch.equal(fired, spikes[t])
        v = v * (1 - fired) if reset == "value" else v - form.threshold[t] * fired


def test_a_gain_in_the_threshold(vector: Any) -> None:
    inputs, expected = vector("bn_scale_into_threshold")
    gains, shift = double([inputs["c"]]), double([inputs["b_hat"]])  # y = c x + b
    form = schedule(gains, -shift / gains, 1.0, inputs["v_th"])
    assert close(form.threshold[0], expected["threshold"])
    assert close(form.bias[0], expected["bias"])


def test_bntt_refusals() -> None:
    with pytest.raises(NetworkError, match="moments for 4 steps and gets 6"):
        BNTT(4, 2)(torch.zeros(6, 3, 2))
    with pytest.raises(NetworkError, match="1 of 2 gains"):
        schedule(double([[1.0, -1.0]]), double([[0.0, 0.0]]), 0.5, 1.0)
    with pytest.raises(ValueError, match=r"norm_steps is 0, data\.steps is 4"):
        settings.TrainConfig.model_validate({"model": {"name": "conv", "norm": "bntt"}})


# --- weight norm -------------------------------------------------------------------------------


def test_weight_norm(vector: Any) -> None:
    inputs, expected = vector("weight_norm_conv")
    layer: Any = weight_normed(Linear(2, 2).double())
    with torch.no_grad():
        layer.parametrizations.weight.original0.copy_(double(inputs["g"])[:, None])
        layer.parametrizations.weight.original1.copy_(double(inputs["v"]))
    assert close(layer.weight, expected["w"])


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2**31))
def test_weight_norm_and_its_gradient(out: int, into: int, kernel: int, seed: int) -> None:
    layer: Any = weight_normed(Conv2d(into, out, kernel).double())
    held_: Any = layer.parametrizations.weight
    with torch.no_grad():
        held_.original1.copy_(drawn((out, into, kernel, kernel), seed))
        held_.original0.copy_(drawn((out, 1, 1, 1), seed + 1))
    v, g = (p.detach().numpy() for p in (held_.original1, held_.original0))
    size = np.sqrt((v**2).sum((1, 2, 3), keepdims=True))
    assert close(layer.weight, g * v / size)
    up = drawn((out, into, kernel, kernel), seed + 2)
    by_g, by_v = torch.autograd.grad(layer.weight, (held_.original0, held_.original1), up)
    along = (up.numpy() * v).sum((1, 2, 3), keepdims=True) / size  # Salimans & Kingma, eq. 3
    assert close(by_g, along)
    assert torch.allclose(by_v, double(g / size * (up.numpy() - along * v / size)), rtol=1e-6)


def test_data_dependent_start(vector: Any) -> None:
    inputs, expected = vector("weight_norm_data_dependent_init")
    g, b = start_of(double(inputs["t"]), 0)
    assert close(g, expected["g"]) and close(b, expected["b"])


@pytest.mark.parametrize("norm", ["wn", "wn-mobn"])
def test_every_layer_starts_with_mean_0_and_variance_1(norm: Any) -> None:
    torch.manual_seed(1)
    net = build(ConvNet(norm=norm, channels=(4, 6)), (1, 8, 8), 3).double()
    x = torch.rand(3, 16, 1, 8, 8, dtype=torch.float64)
    data_dependent_start(net, x)
    assert net.training
    heard: list[Tensor] = []
    for name in ("conv1", "conv2"):
        net.get_submodule(name).register_forward_hook(lambda *a: heard.append(a[2]))
    net.eval()(x)
    for t in heard:
        std, mean = torch.std_mean(t, (0, 1, 3, 4), correction=0)
        assert close(std, np.ones(len(std)))
        assert norm == "wn-mobn" or close(mean, np.zeros(len(std)))


def test_a_start_from_data_that_do_not_vary() -> None:
    net = nn.Sequential(Flatten(), weight_normed(Linear(4, 3)))
    with pytest.raises(TrainingError, match=r"layer '1' cannot start.*3 of 3 channels"):
        data_dependent_start(net, torch.ones(2, 5, 4))


# --- PSP norms ---------------------------------------------------------------------------------


def test_psp_norms(vector: Any) -> None:
    inputs, expected = vector("psp_norm")
    a, lam = double(inputs["a_TNCL"]), inputs["lam"]
    batch = PspBatchNorm(2, lam).double()
    assert close(batch(a), expected["y_bn"])
    assert close(batch.running, expected["running_E_after_1_batch_momentum0p1_from_1"])
    assert close(PspBatchNorm(2, lam, "variance").double()(a), expected["y_eq15_variance"])
    for over in ("window", "calibrated"):
        layer = PspLayerNorm(lam, over).double()
        assert close(layer(a), expected["y_ln"])
        assert close(layer.running, 0.9 + 0.1 * np.mean(expected["E_ln"]))
    assert close(PspLayerNorm(lam, "causal").double()(a), expected["y_ln_causal_running"])


def test_what_the_neuron_sees(vector: Any) -> None:
    inputs, expected = vector("psp_effective_threshold_eq18")
    found = effective_threshold(
        double(inputs["E"])[:, None], inputs["lam"], inputs["theta"], double(inputs["nu_s"])
    )
    assert close(found, expected["theta_hat"])


@given(SIZES, st.floats(1e-3, 1), st.integers(0, 2**31))
def test_psp_norms_are_their_definitions(sizes: tuple[int, ...], lam: float, seed: int) -> None:
    a = drawn(sizes, seed)
    v = a.numpy()
    per_channel = (v**2).mean((0, 1, 3))
    assert close(PspBatchNorm(sizes[2], lam).double()(a), v / np.sqrt(per_channel + lam)[:, None])
    each = np.stack([(v[: t + 1] ** 2).mean((0, 2, 3)) for t in range(sizes[0])])
    window = v / np.sqrt(each[-1] + lam)[:, None, None]
    assert close(PspLayerNorm(lam).double()(a), window)
    assert close(PspLayerNorm(lam).double().eval()(a), window)
    causal = PspLayerNorm(lam, "causal").double().eval()
    assert close(causal(a), v / np.sqrt(each + lam)[:, :, None, None])
    assert torch.equal(causal(a[:2]), causal(a)[:2])  # the future changes nothing
    constant = PspLayerNorm(lam, "calibrated").double().eval()
    assert close(constant(a), v / np.sqrt(1 + lam))


@given(SIZES, st.floats(0.5, 9), st.integers(0, 2**31))
def test_a_norm_of_the_potential_before_its_filter(
    sizes: tuple[int, ...], tau: float, seed: int
) -> None:
    """eps * s normalised, then weights: the same as s by the potential's factor, weights, then
    eps. Where the factor is constant in time, that is."""
    s = (drawn(sizes, seed) > 0).double()
    kernel = slayer.kernel(tau, sizes[0])
    taps = [[kernel[t - k] if k <= t else 0.0 for k in range(len(s))] for t in range(len(s))]
    a = torch.tensordot(double(taps), s, dims=1)
    assert close(potential(s, tau), a.numpy())
    channels = sizes[2]
    for here, paper in (
        (PspBatchNorm(channels, 0.1, tau_s=tau), PspBatchNorm(channels, 0.1)),
        (PspLayerNorm(0.1, tau_s=tau), PspLayerNorm(0.1)),
        (PspLayerNorm(0.1, "calibrated", tau), PspLayerNorm(0.1, "calibrated")),
    ):
        for training in (True, False):
            here, paper = here.double().train(training), paper.double().train(training)
            wanted = paper(a)
            assert close(potential(here(s), tau), wanted.numpy())
            assert close(here.running, paper.running.numpy())


def test_the_potential_without_a_kernel() -> None:
    s = (torch.randn(9, 2, 3) > 0).float()
    with kernels.asked("eager"):
        eager = potential(s, 3.0)
    assert eager.any()
    assert torch.equal(potential(s, 3.0), eager)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PspBatchNorm(3, tau_s=2.0),
        lambda: PspLayerNorm(tau_s=2.0),
        lambda: MeanOnlyBatchNorm(3),
        lambda: PspBatchNorm(3),
        lambda: PspLayerNorm(),
        lambda: PspLayerNorm(over="causal"),
        lambda: PspLayerNorm(over="calibrated"),
        lambda: BNTT(4, 3),
        lambda: NeuNorm((3, 2)),
    ],
)
def test_held_inputs_and_gradients(make: Any) -> None:
    torch.manual_seed(4)
    once, often = make().double(), make().double()
    often.load_state_dict(once.state_dict())
    image = torch.randn(5, 3, 2, dtype=torch.float64)
    for training in (True, False):
        y = once.train(training)(held(image, 4))
        z = often.train(training)(image.expand(4, *image.shape).contiguous())
        assert torch.allclose(y, z, rtol=1e-12, atol=1e-14)
    for name, value in once.state_dict().items():
        assert torch.allclose(value, often.state_dict()[name], rtol=1e-12), name
    assert is_static(once(held(image, 4))) == (not isinstance(once, BNTT | NeuNorm))
    x = torch.randn(4, 5, 3, 2, dtype=torch.float64, requires_grad=True)
    once.train()
    assert torch.autograd.gradcheck(lambda x, *_: once(x), (x, *once.parameters()))
    assert torch.autograd.gradcheck(lambda x, *_: once.eval()(x), (x, *once.parameters()))


# --- NeuNorm -----------------------------------------------------------------------------------


def test_neunorm(vector: Any) -> None:
    inputs, expected = vector("neunorm")
    norm = NeuNorm((3,), inputs["k"]).double()
    with torch.no_grad():
        norm.weight.copy_(double(inputs["w"]))
    assert close(norm(double(inputs["s"])[:, None])[:, 0], expected["out"])
    assert norm.share == pytest.approx((1 - inputs["k"]) / 9)


@given(SIZES, st.floats(0, 0.99), st.integers(0, 2**31))
def test_neunorm_is_its_definition(sizes: tuple[int, ...], k: float, seed: int) -> None:
    s = (drawn(sizes, seed) > 0).double()
    torch.manual_seed(seed)
    norm = NeuNorm(sizes[2:], k).double()
    x = np.zeros((sizes[1], sizes[3]))
    for t, out in enumerate(norm(s)):
        x = k * x + (1 - k) / sizes[2] ** 2 * s[t].numpy().sum(1)
        assert close(out, s[t].numpy() - norm.weight.detach().numpy() * x[:, None])


# --- refusals, weight decay --------------------------------------------------------------------


def test_numbers_out_of_range() -> None:
    with pytest.raises(ConfigError, match="lambda of a PSP norm is 0"):
        PspBatchNorm(2, 0)
    with pytest.raises(ConfigError, match="'future'"):
        PspLayerNorm(over="future")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="k = 1"):
        NeuNorm((2,), 1.0)
    with pytest.raises(NetworkError, match=r"\[3, 2\] gets an input of shape \[4, 1, 3\]"):
        NeuNorm((3, 2))(torch.zeros(4, 1, 3))
    with pytest.raises(NetworkError, match=r"\[T, B, C, \*space\]"):
        PspBatchNorm(2)(torch.zeros(3, 2))


@pytest.mark.parametrize("norm", ["wn", "bntt", "neunorm", "wn-mobn"])
def test_weight_decay_leaves_norms_alone(norm: Any) -> None:
    net = build(ConvNet(norm=norm, norm_steps=4), (1, 8, 8), 3)
    names = {id(p): name for name, p in net.named_parameters()}
    pulled = {names[id(p)] for p in decayed(net)}
    weight = "parametrizations.weight.original1" if norm.startswith("wn") else "weight"
    assert pulled == {f"conv1.{weight}", f"conv2.{weight}", "classifier.weight"}
    groups = optimiser(net, Train(weight_decay=0.1)).param_groups
    assert [len(g["params"]) for g in groups] == [3, len(names) - 3]
