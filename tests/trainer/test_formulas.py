"""Methods against their formulas, written out here in plain numpy with numbers of our own.

The vectors of tests/conftest.py hold one case each, and lie beside the clone, if at all; these
hold other parameters, and need nothing.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikeport.trainer import layers, losses, norms, regularisers
from spikeport.trainer import surrogate_forms as forms
from spikeport.trainer.encoders import dct, latency, random_manifold, rate
from spikeport.trainer.neurons import (
    IF,
    LIF,
    SRM,
    CubaLIF,
    Neuron,
    SingleSpike,
    SoftResetLIF,
    SpikingJellyLIF,
    ZenkeLIF,
)
from spikeport.trainer.norms.step import schedule
from spikeport.trainer.optimisers import AdaBelief
from spikeport.trainer.potential import potential
from spikeport.trainer.readouts import LeakyReadout

Array = NDArray[np.float64]
R = np.random.default_rng(20)
X: Array = R.normal(0.3, 0.6, (50, 7))  # [T, neurons]
IMAGES: Array = R.normal(0.4, 1.3, (5, 3, 4, 6, 6))  # [T, B, C, H, W]
SPIKES: Array = (R.random((20, 5, 4)) < 0.3).astype(np.float64)  # [T, B, C]


def tensor(values: Any) -> Tensor:
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def near(found: Tensor | Array, wanted: Any) -> None:
    """To 1e-12 of what is wanted, or of 1."""
    got = found.detach().numpy() if isinstance(found, Tensor) else np.asarray(found)
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    assert (np.abs(got - wanted) <= 1e-12 * np.maximum(1, np.abs(wanted))).all()


# --- neurons: spikes [T, neurons] of a drive x ----------------------------------------------------

Rule = Callable[[Array], Array]


def lif(a: float, th: float, soft: bool = False, v_reset: float = 0.0, at: bool = False) -> Rule:
    def run(x: Array) -> Array:
        v, out = np.zeros(x.shape[1]), []
        for drive in x:
            v = a * v + drive
            s = v >= th if at else v > th
            out.append(s)
            v = v - th * s if soft else np.where(s, v_reset, v)
        return np.array(out)

    return run


def current_based(a: float, a_syn: float, th: float) -> Rule:
    def run(x: Array) -> Array:
        u, v, out = np.zeros(x.shape[1]), np.zeros(x.shape[1]), []
        for drive in x:
            u = a_syn * u + drive
            v = a * v + u
            out.append(v > th)
            v = v * (1 - out[-1])
        return np.array(out)

    return run


def spikingjelly(tau: float, charged: bool, v_reset: float, th: float) -> Rule:
    def run(x: Array) -> Array:
        v, out = np.zeros(x.shape[1]), []
        for drive in x:
            v = v + (drive - (v - v_reset)) / tau if charged else v - (v - v_reset) / tau + drive
            out.append(v >= th)
            v = np.where(out[-1], v_reset, v)
        return np.array(out)

    return run


def zenke(b_mem: float, b_syn: float, own: Array | None = None) -> Rule:
    def run(x: Array) -> Array:
        u, i, out = np.zeros(x.shape[1]), np.zeros(x.shape[1]), []
        for drive in x:
            s = (u > 1) * 1.0
            out.append(s)
            u = (b_mem * u + (1 - b_mem) * i) * (1 - s)
            i = b_syn * i + drive + (0 if own is None else own @ s)
        return np.array(out)

    return run


def before_updating(leak: float, th: float) -> Rule:
    def run(x: Array) -> Array:
        v, out = np.zeros(x.shape[1]), []
        for drive in x:
            out.append(v / th - 1 > 0)
            v = leak * v + drive - th * out[-1]
        return np.array(out)

    return run


def alpha(t: Array, tau: float) -> Array:
    return t / tau * np.exp(1 - t / tau)


def response(tau_s: float, tau_r: float, kernel: str, scale: float, th: float) -> Rule:
    """Sums over the whole past, kernel by kernel."""

    def nu(t: Array) -> Array:
        shape = np.exp(-t / tau_r) if kernel == "exponential" else alpha(t, tau_r)
        return -scale * th * shape

    def run(x: Array) -> Array:
        out = np.zeros_like(x)
        for t in range(len(x)):
            ago = np.arange(t, -1, -1.0)[:, None]
            u = (alpha(ago, tau_s) * x[: t + 1]).sum(0) + (nu(ago[:-1]) * out[:t]).sum(0)
            out[t] = u >= th
        return out

    return run


B_MEM, B_SYN = math.exp(-1 / 7), math.exp(-1 / 3)
NEURONS: dict[str, tuple[Callable[[], Neuron], Rule, float]] = {  # , what x is multiplied by
    "stbp": (lambda: LIF(0.25, threshold=0.2), lif(0.25, 0.2), 1),
    "to a value": (lambda: LIF(0.6, v_reset=-0.3), lif(0.6, 1, v_reset=-0.3), 1),
    "soft": (lambda: LIF(0.7, threshold=0.9, reset="subtract"), lif(0.7, 0.9, True), 1),
    "if": (lambda: IF(compare=">="), lif(1, 1, at=True), 1),
    "current": (lambda: CubaLIF(0.8, 0.6, threshold=1.7), current_based(0.8, 0.6, 1.7), 1),
    "charged": (
        lambda: SpikingJellyLIF(3.3, v_reset=-0.25, threshold=0.8),
        spikingjelly(3.3, True, -0.25, 0.8),
        3,
    ),
    "not charged": (
        lambda: SpikingJellyLIF(1.5, False, v_reset=0.2, threshold=0.8),
        spikingjelly(1.5, False, 0.2, 0.8),
        1,
    ),
    "zenke": (lambda: ZenkeLIF(B_MEM, B_SYN), zenke(B_MEM, B_SYN), 4),
    "bntt": (lambda: SoftResetLIF(0.99, threshold=1.1), lif(0.99, 1.1, True), 1),
    "hybrid": (lambda: SoftResetLIF(0.9, True, threshold=0.7), before_updating(0.9, 0.7), 1),
    "merged": (lambda: SRM(4, 4, threshold=3), response(4, 4, "exponential", 2, 3), 3),
    "apart": (
        lambda: SRM(6, 3, scale_ref=1.5, threshold=3),
        response(6, 3, "exponential", 1.5, 3),
        3,
    ),
    "slayer": (lambda: SRM(7, 2, "alpha", threshold=3), response(7, 2, "alpha", 2, 3), 3),
}


@pytest.mark.parametrize("name", NEURONS)
def test_neurons(name: str) -> None:
    make, rule, scale = NEURONS[name]
    with torch.no_grad():
        found = make().double()(tensor(scale * X)[:, None])[:, 0].numpy()
    wanted = rule(scale * X)
    assert 20 < wanted.sum() < 0.9 * wanted.size and (found == wanted).all()


def test_a_recurrent_layer_hears_itself_as_in_the_paper() -> None:
    own = R.normal(0, 1, (7, 7))
    linear = nn.Linear(7, 7, bias=False).double()
    linear.weight.data = tensor(own)
    with torch.no_grad():
        found = layers.Recurrent(ZenkeLIF(B_MEM, B_SYN).double(), linear)(tensor(4 * X)[:, None])
    assert (found[:, 0].numpy() == zenke(B_MEM, B_SYN, own)(4 * X)).all()


def test_single_spikes() -> None:
    layer = SingleSpike(6, 5, threshold=0.8).double()
    times = np.exp(2 * R.random((20, 6)))
    found, weights = layer(tensor(times)), layer.weight.detach().numpy()
    for z, row in zip(times, found.detach().numpy(), strict=True):
        order = np.argsort(z)
        for w, got in zip(weights, row, strict=True):
            wanted = 1e5
            for m in range(1, 7):
                first = order[:m]
                if w[first].sum() > 0.8:
                    at = (w[first] * z[first]).sum() / (w[first].sum() - 0.8)
                    if z[order[m - 1]] <= at <= (z[order[m]] if m < 6 else 1e5):
                        wanted = at
                        break
            assert got == pytest.approx(wanted, rel=1e-12)


def test_potential_is_the_untruncated_kernel() -> None:
    ago = np.arange(20)[:, None] - np.arange(20)
    taps = np.where(ago >= 0, alpha(np.maximum(ago, 0), 6.0), 0)
    near(potential(tensor(SPIKES), 6.0), np.tensordot(taps, SPIKES, 1))


# --- surrogates: ds / dv at v - threshold = D -----------------------------------------------------

D: Array = np.array([-1.3, -0.4, -0.05, 0.0, 0.02, 0.31, 0.77, 2.2])
FAR = np.abs(D)
SURE = 1 / (1 + np.exp(-4 * D))
SURROGATES = {
    "triangle": (forms.triangle(0.8), np.maximum(0, 0.8 - FAR) / 0.64),
    "rectangular": (forms.rectangular(0.35), (FAR < 0.35) / 0.7),
    "superspike": (forms.superspike(20), 1 / (20 * FAR + 1) ** 2),
    "asymptotic": (forms.superspike_asymptotic(30), 30 / (30 * FAR + 1) ** 2),
    "esser": (forms.esser(1.7), np.maximum(0, 1 - 1.7 * FAR)),
    "sigmoid": (forms.sigmoid(4), SURE * (1 - SURE)),
    "slayer": (forms.slayer(3, 0.7), np.exp(-0.7 * FAR) / 3),
    "library": (forms.slayer_library(5, 2, 0.3), 2 / 1.5 * np.exp(-FAR / 1.5)),
    "atan": (forms.atan(3), 1.5 / (1 + (np.pi / 2 * 3 * D) ** 2)),
    "bellec": (forms.bellec(2), 0.15 * np.maximum(0, 1 - FAR / 2)),
}


@pytest.mark.parametrize("name", SURROGATES)
def test_surrogates(name: str) -> None:
    fire, wanted = SURROGATES[name]
    v = tensor(D).requires_grad_()
    fire(v, 0.0).sum().backward()  # type: ignore[no-untyped-call]
    assert v.grad is not None
    near(v.grad, wanted)


# --- norms ----------------------------------------------------------------------------------------

AXES = (0, 1, 3, 4)
G, B = R.normal(1, 0.3, 4), R.normal(0, 0.3, 4)
MEAN, VAR, SQUARE = IMAGES.mean(AXES), IMAGES.var(AXES), (IMAGES**2).mean(AXES)
COUNT = IMAGES.size / 4


def along(values: Array) -> Array:
    return values[:, None, None]


def given(norm: nn.Module) -> nn.Module:
    norm = norm.double()
    norm.weight.data, norm.bias.data = tensor(G), tensor(B)
    return norm


def test_batch_norm_over_time() -> None:
    norm = given(norms.BatchNorm2d(4))
    near(norm(tensor(IMAGES)), along(G / np.sqrt(VAR + 1e-5)) * (IMAGES - along(MEAN)) + along(B))
    later = 0.9 + 0.1 * VAR * COUNT / (COUNT - 1)
    shown = along(G / np.sqrt(later + 1e-5)) * (IMAGES - along(0.1 * MEAN)) + along(B)
    near(norm.eval()(tensor(IMAGES)), shown)
    td = given(norms.TdBatchNorm2d(4, 0.6, 0.5**0.5))
    shown = along(G * 0.6 * 0.5**0.5 / np.sqrt(VAR + 1e-5)) * (IMAGES - along(MEAN)) + along(B)
    near(td(tensor(IMAGES)), shown)
    mean_only = given(norms.MeanOnlyBatchNorm(4))
    near(mean_only(tensor(IMAGES)), along(G) * (IMAGES - along(MEAN)) + along(B))


def test_bntt_and_its_schedule() -> None:
    norm, gains = norms.BNTT(5, 4).double(), R.normal(1, 0.2, (5, 4))
    norm.weight.data = tensor(gains)
    mean, var = IMAGES.mean((1, 3, 4)), IMAGES.var((1, 3, 4))
    c = gains / np.sqrt(var + 1e-4)
    near(norm(tensor(IMAGES)), c[:, None, :, None, None] * (IMAGES - mean[:, None, :, None, None]))
    made = schedule(tensor(c), tensor(mean), 0.95, 1.2)
    for found, wanted in (
        (made.threshold, 1.2 / c),
        (made.decay, 0.95 * np.vstack([np.zeros(4), c[:-1]]) / c),
        (made.bias, -mean),
    ):
        near(found, wanted)


def test_psp_norms() -> None:
    norm = norms.PspBatchNorm(4, 0.03).double()
    near(norm(tensor(IMAGES)), IMAGES / np.sqrt(along(SQUARE) + 0.03))
    near(norm.eval()(tensor(IMAGES)), IMAGES / np.sqrt(along(0.9 + 0.1 * SQUARE) + 0.03))
    each = (IMAGES**2).mean((2, 3, 4))
    window = np.sqrt(each.mean(0) + 0.2)[:, None, None, None]
    near(norms.PspLayerNorm(0.2).double()(tensor(IMAGES)), IMAGES / window)
    so_far = np.sqrt(each.cumsum(0) / np.arange(1, 6)[:, None] + 0.2)[:, :, None, None, None]
    near(norms.PspLayerNorm(0.2, "causal").double()(tensor(IMAGES)), IMAGES / so_far)


def test_neunorm() -> None:
    norm, fired = norms.NeuNorm((4, 6, 6), 0.8).double(), (IMAGES > 0.5) * 1.0
    x, w = np.zeros((3, 1, 6, 6)), norm.weight.detach().numpy()
    found = norm(tensor(fired))
    for t, s in enumerate(fired):
        x = 0.8 * x + 0.2 / 16 * s.sum(1, keepdims=True)
        near(found[t], s - w * x)


def test_weight_norm_and_its_gradient() -> None:
    layer = norms.weight_normed(layers.Linear(6, 3, bias=False)).double()
    sizes, v = (p for p in layer.parameters())
    g, up = R.normal(1, 0.2, (3, 1)), R.normal(size=(3, 6))
    sizes.data = tensor(g)
    (layer.weight * tensor(up)).sum().backward()  # type: ignore[no-untyped-call]
    rows = v.detach().numpy()
    length = np.sqrt((rows**2).sum(1, keepdims=True))
    to_g = (up * rows).sum(1, keepdims=True) / length
    near(layer.weight, g * rows / length)
    near(sizes.grad, to_g)  # type: ignore[arg-type]
    near(v.grad, g / length * up - g * to_g / length**2 * rows)  # type: ignore[arg-type]


# --- losses and regularisers ----------------------------------------------------------------------


def test_cross_entropies() -> None:
    outputs, y = R.normal(size=(6, 5, 4)), np.array([0, 3, 1, 1, 2])

    def ce(z: Array) -> float:
        return float((np.log(np.exp(z).sum(-1)) - z[..., np.arange(5), y]).mean())

    o, labels = tensor(outputs), torch.tensor(y)
    near(losses.sdt(o, labels), ce(outputs.mean(0)))
    near(losses.tet(o, labels), ce(outputs))
    near(losses.max_over_time(o, labels), ce(outputs.max(0)))
    near(losses.sum_over_time(o, labels), ce(outputs.sum(0)))
    mixed = 0.7 * ce(outputs) + 0.3 * ((outputs - 0.7) ** 2).mean()
    near(losses.total(o, labels, "tet", 0.3, 0.7), mixed)


def test_losses_of_spikes() -> None:
    ago = np.arange(20)[:, None] - np.arange(20)
    taps = np.where(ago >= 0, alpha(np.maximum(ago, 0), 3.0), 0)
    wished = (R.random((20, 5, 4)) < 0.2) * 1.0
    far = np.tensordot(taps, SPIKES - wished, 1)
    near(losses.spike_time(tensor(SPIKES), tensor(wished), 3.0), 0.5 * (far**2).sum())
    y, inside = np.array([0, 3, 1, 1, 2]), np.zeros((20, 1, 1))
    inside[2:15] = 1
    counts = np.full((5, 4), 3.0)
    counts[np.arange(5), y] = 9.0
    error = (SPIKES[2:15].sum(0) - counts) / 13
    far = np.tensordot(taps, SPIKES - inside * SPIKES, 1) + inside * error
    found = losses.spike_count(tensor(SPIKES), torch.tensor(y), 9.0, 3.0, 3.0, (2, 15))
    near(found, 0.5 * (far**2).sum())


def test_bounds_of_activity() -> None:
    zeta = SPIKES.sum(0)
    over = np.maximum(0, zeta.mean(1) - 5.5)
    near(regularisers.upper(tensor(SPIKES), 5.5, 1), over.mean())
    near(regularisers.upper(tensor(SPIKES), 5.5, 2), (over**2).mean())
    near(regularisers.lower(tensor(SPIKES), 7.0), (np.maximum(0, 7 - zeta) ** 2).mean())


# --- readout, encoders, optimiser -----------------------------------------------------------------


@pytest.mark.parametrize("b_syn", [None, 0.7])
def test_leaky_readout(b_syn: float | None) -> None:
    x = R.normal(size=(6, 5, 4))
    found = LeakyReadout(0.85, b_syn, -1e-3).double()(tensor(x))
    u, i = np.full((5, 4), -1e-3), np.zeros((5, 4))
    for t, now in enumerate(x):
        near(found[t], u)
        u = 0.85 * u + 0.15 * (now if b_syn is None else i)
        i = (b_syn or 0) * i + now


def test_encoders() -> None:
    x, u = R.random((3, 2, 8, 8)), R.random((7, 3, 2, 8, 8))
    assert (rate.poisson(x, u) == (u <= x)).all()
    signed = 2 * x - 1
    assert (rate.signed_poisson(signed, u) == np.sign(signed) * (2 * u <= abs(signed))).all()
    for tau, least, steps in ((20.0, 0.2, 100), (50.0, 0.1, 60), (13.0, 0.35, 20)):
        found = latency.charge(x, steps, tau, least)
        for at in np.ndindex(x.shape):
            t = int(tau * math.log(x[at] / (x[at] - least))) if x[at] > least else steps
            assert found[at] == (t if t < steps else -1)
    a = math.exp(8) - 1
    for at in np.ndindex(x.shape):
        assert latency.linear(x, 9)[at] == round(8 * (1 - float(x[at])))
        assert latency.logarithmic(x, 9)[at] == round(8 - math.log(a * x[at] + 1))


def test_dct() -> None:
    x, k = R.random((2, 1, 8, 8)), np.arange(4)
    q = np.sqrt(0.5) * np.cos(np.pi * (2 * k + 1) * k[:, None] / 8)
    q[0] = 0.5
    order = [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2)]
    found = dct.frames(x, 18, 4)
    block = q @ x[1, 0, 4:, :4] @ q.T
    for t, (i, j) in enumerate(order):
        near(found[t, 1, 0, 4:, :4], block[i, j] * np.outer(q[i], q[j]))
    near(found[16:], found[:2])
    near(found[:16].sum(0), x)


def test_manifolds() -> None:
    theta, at = R.random((5, 2, 3, 10)), R.random((30, 2))
    wanted = np.ones((30, 5))
    for i in range(5):
        for d in range(2):
            a, b, c = theta[i, d]
            wanted[:, i] *= sum(
                a[k] / (k + 1) ** 3 * np.sin(2 * np.pi * (k * at[:, d] * b[k] + c[k]))
                for k in range(10)
            )
    near(random_manifold.manifold(at, theta, 3.0), wanted)


@pytest.mark.parametrize("new", [True, False])
def test_adabelief(new: bool) -> None:
    b1, b2, eps, lr, decay = 0.9, 0.999, 1e-16 if new else 1e-8, 0.02, 0.1
    w = R.normal(size=6)
    p = nn.Parameter(tensor(w))
    made = AdaBelief([p], lr, eps=eps, weight_decay=decay, decoupled=new, rectify=new)
    m, s = np.zeros(6), np.zeros(6)
    for k in range(1, 13):
        g = R.normal(size=6)
        p.grad = tensor(g)
        made.step()
        w, g = (w * (1 - lr * decay), g) if new else (w, g + decay * w)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps
        c1, c2, most = 1 - b1**k, 1 - b2**k, 2 / (1 - b2) - 1
        now = most - 2 * k * b2**k / c2
        if not new:
            w = w - lr / c1 * m / (np.sqrt(s) / np.sqrt(c2) + eps)
        elif now < 5:
            w = w - lr / c1 * m
        else:
            r = (now - 4) / (most - 4) * (now - 2) / now * most / (most - 2)
            w = w - lr * np.sqrt(c2 * r) / c1 * m / (np.sqrt(s) + eps)
        near(p, w)
