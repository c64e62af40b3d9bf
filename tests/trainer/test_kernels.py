"""The fused kernels against the eager loop: the same spikes and membranes bit for bit, the same
gradients within rounding.

On the processor, or, as `test_gpu_kernels` runs this file once more, in Triton's interpreter."""

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from spikeport.core.errors import ConfigError
from spikeport.trainer import kernels
from spikeport.trainer.kernels import choice
from spikeport.trainer.layers import Recurrent, held
from spikeport.trainer.neurons import (
    IF,
    LIF,
    PLIF,
    CubaLIF,
    Neuron,
    SoftResetLIF,
    SpikingJellyLIF,
    ZenkeLIF,
)
from spikeport.trainer.readouts.layers import LeakyReadout
from spikeport.trainer.record import recording
from spikeport.trainer.surrogate import SHAPES, ForwardSigmoid, Surrogate

ENGINE = "triton" if os.environ.get("TRITON_INTERPRET") == "1" else "numba"
EXAMPLES = 12 if ENGINE == "numba" else 2  # the interpreter is slow
seeds = st.integers(0, 2**32 - 1)
ALL = ("decay", "threshold")
# every kind, reset, comparison, shape of surrogate and learned number at least once; a few more
# would each cost a compilation
COVERED: dict[str, Callable[[float], Neuron]] = {
    "if": lambda w: IF(surrogate=SHAPES["rectangular"](w)),
    "if subtract": lambda w: IF(reset="subtract", detach_reset=False, learn=["threshold"]),
    "lif": lambda w: LIF(0.7, surrogate=SHAPES["triangle"](w, 1.3)),
    "lif learned": lambda w: LIF(0.3, learn=ALL, surrogate=SHAPES["atan"](w), compare=">="),
    "lif attached": lambda w: LIF(
        0.6, v_reset=-0.3, detach_reset=False, surrogate=SHAPES["superspike"](w), learn=ALL
    ),
    "soft": lambda w: SoftResetLIF(0.9, threshold=0.7, learn=ALL),
    "cuba": lambda w: CubaLIF(0.5, 0.8, surrogate=SHAPES["exponential"](w)),
    "cuba learned": lambda w: CubaLIF(
        0.5, 0.8, reset="subtract", learn=("decay_syn", *ALL), surrogate=SHAPES["sigmoid"](w)
    ),
    "spikingjelly": lambda w: SpikingJellyLIF(3.0, False, v_reset=0.2),
    "zenke": lambda w: ZenkeLIF(threshold=0.3, surrogate=SHAPES["superspike"](w)),
    "zenke attached": lambda w: ZenkeLIF(
        threshold=0.3, detach_reset=False, learn=("decay_syn", *ALL)
    ),
    "test first": lambda w: SoftResetLIF(0.9, test_first=True, learn=ALL),
    "plif": lambda w: PLIF(1.7, v_reset=-0.2, surrogate=SHAPES["atan"](w), learn=["threshold"]),
}


def ran(neuron: nn.Module, x: Tensor, mode: kernels.Mode) -> tuple[Tensor, list[Tensor]]:
    """Spikes, and gradients of a weighted sum of them to x and to the parameters."""
    x = x.detach().requires_grad_()
    weight = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).view(x.shape)
    with kernels.asked(mode):
        spikes = neuron(x)
    given = (x, *neuron.parameters())
    nothing = torch.stack([g.sum() for g in given]).sum() * 0  # the output of few steps is silence
    return spikes.detach(), list(torch.autograd.grad((spikes * weight).sum() + nothing, given))


def signal(seed: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype) * 1.5 + 0.3


shapes = st.lists(st.integers(1, 6), min_size=1, max_size=3)
BOUNDS = {torch.float32: 64 * 2**-23, torch.float64: 1e-12}


@pytest.mark.parametrize("kind", COVERED)
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(2, 9), shapes, st.floats(0.2, 2.0), seeds)
def test_spikes_are_equal_and_gradients_within_rounding(
    kind: str, steps: int, shape: list[int], width: float, seed: int
) -> None:
    """Per sample of T steps a float32 gradient passes some ten roundings a step; 64 epsilon of
    the largest is held here, and 1e-12 in float64, where the exponentials differ."""
    check(COVERED[kind](width), (steps, *shape), seed, BOUNDS)


# one step is summed as what is held is: loops of their own, each of which is a compilation
ONE_STEP = ("lif learned", "cuba learned", "zenke attached")


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[pytest.mark.slow] * (k not in ONE_STEP)) for k in COVERED]
)
@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(shapes, seeds)
def test_one_step_is_equal_too(kind: str, shape: list[int], seed: int) -> None:
    check(COVERED[kind](0.9), (1, *shape), seed, {torch.float64: BOUNDS[torch.float64]})


def check(
    neuron: Neuron, shape: tuple[int, ...], seed: int, bounds: dict[torch.dtype, float]
) -> None:
    """AssertionError unless fused is eager on an input of this shape, in each type."""
    for dtype, bound in bounds.items():
        neuron = neuron.to(dtype)
        x = signal(seed, shape, dtype)
        if x.ndim < 2:
            x = x[:, None]
        spikes, grads = ran(neuron, x, "fused")
        wanted, right = ran(neuron, x, "eager")
        assert torch.equal(spikes, wanted)
        for found, true in zip(grads, right, strict=True):
            # a sum over all elements is bounded by what was summed, not by what is left of it:
            # gradients like those of x, and surrogates of some 1 where late spikes leave x none
            most = float(right[0].abs().max())
            most = most if true.ndim else 4 * x.numel() * max(most, 1.0)
            assert float((found - true).abs().max()) <= bound * max(most, 1e-30)


@pytest.mark.parametrize("kind", COVERED)
@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(seeds)
def test_membranes_are_equal(kind: str, seed: int) -> None:
    neuron = COVERED[kind](1.0)
    x = signal(seed, (11, 2, 5)).requires_grad_()
    with recording(neuron, membrane=True) as traces:
        neuron(x)
    with kernels.asked("fused"):
        spikes = neuron(x)
    tested = spikes.grad_fn.saved_tensors[0].view(x.shape)
    if neuron.dead_step:  # what was saved is what would have been without it
        tested = torch.cat([tested[:1], tested[1:] * (1 - spikes[:-1])])
    after = torch.stack([neuron.law().reset(v, s) for v, s in zip(tested, spikes, strict=True)])
    seen = traces[""]  # from the first input on, and so the delay later
    assert seen.v is not None
    late = len(x) - neuron.delay
    assert torch.equal(after[neuron.delay :].detach(), seen.v[:late])
    assert torch.equal(spikes[neuron.delay :].detach(), seen.spikes[:late])


@pytest.mark.parametrize("kind", ["lif learned", "cuba learned", "zenke attached", "test first"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 7), st.booleans(), seeds)
def test_a_population_that_hears_itself(
    kind: str, steps: int, batch: int, wide: int, biased: bool, seed: int
) -> None:
    """Spikes bit for bit, gradients of the way back too; float64, so that only the order of sums
    is between them."""
    torch.manual_seed(seed)
    layer = Recurrent(COVERED[kind](1.0), nn.Linear(wide, wide, bias=biased)).double()
    x = signal(seed, (steps, batch, wide), torch.float64)
    spikes, grads = ran(layer, x, "fused")
    wanted, right = ran(layer, x, "eager")
    assert torch.equal(spikes, wanted)
    torch.testing.assert_close(grads, right, rtol=1e-10, atol=1e-10)


def test_it_keeps_the_bits_in_float32_in_blocks() -> None:
    """Several blocks of neurons, whose state goes on from step to step."""
    torch.manual_seed(1)
    for neuron in (LIF(0.7), ZenkeLIF(threshold=0.2)):
        layer = Recurrent(neuron, nn.Linear(300, 300))
        x = signal(2, (20, 17, 300))
        spikes, grads = ran(layer, x, "fused")
        wanted, right = ran(layer, x, "eager")
        assert torch.equal(spikes, wanted)
        assert 0.02 < float(spikes.mean()) < 0.9
        for found, true in zip(grads, right, strict=True):
            assert float((found - true).abs().max()) < 1e-5 * float(true.abs().max())


@pytest.mark.parametrize("heard", ["held", "transposed", "every other"])
@pytest.mark.parametrize("told", ["sum", "transposed", "every other"])
def test_a_population_that_hears_itself_reads_any_memory(heard: str, told: str) -> None:
    """Steps of inputs and of gradients that do not lie in one piece; a sum's gradient is a number
    that stands for all."""
    torch.manual_seed(2)
    layer = Recurrent(LIF(0.7), nn.Linear(8, 8)).double()
    image = signal(3, (8, 16), torch.float64).requires_grad_()
    x = {
        "held": held(image[:, :8], 9),
        "transposed": torch.stack([image[:, :8].T] * 9).transpose(1, 2),
        "every other": torch.stack([image] * 9)[..., ::2],
    }[heard]
    grad = {
        "sum": torch.ones((), dtype=torch.float64).expand(x.shape),
        "transposed": signal(4, x.shape, torch.float64).transpose(1, 2),
        "every other": signal(4, (9, 8, 16), torch.float64)[..., ::2],
    }[told]
    found = []
    for way in ("fused", "eager"):
        with kernels.asked(way):
            spikes = layer(x)
            grads = torch.autograd.grad(spikes, (image, *layer.parameters()), grad, True)
        found.append((spikes, grads))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("syn", [None, 0.8])
def test_a_leaky_readout(syn: float | None) -> None:
    layer = LeakyReadout(0.9, syn)
    for steps in (1, 2, 30):
        x = signal(11, (steps, 3, 4))
        (out, grads), (wanted, right) = ran(layer, x, "fused"), ran(layer, x, "eager")
        assert torch.equal(out, wanted)
        assert torch.equal(grads[0], right[0])
    few = signal(12, (4, 1, 2), torch.float64).requires_grad_()
    assert kernels.integrator(few).engine == ENGINE
    assert torch.autograd.gradcheck(layer, few)


def test_a_way_back_that_is_not_linear_alone_is_eager() -> None:
    layer = Recurrent(LIF(), nn.Linear(3, 3))
    layer.linear.register_forward_hook(lambda *_: None)
    x = signal(12, (4, 2, 3))
    assert "hooks" in kernels.chosen(layer.neuron, x, layer.linear).reason
    assert "function" in kernels.chosen(layer.neuron, x, lambda s: s).reason
    assert torch.equal(layer(x), ran(layer, x, "eager")[0])
    plain = Recurrent(LIF(), nn.Linear(3, 3))
    maps = signal(13, (4, 2, 5, 3))
    assert "in 2 dimensions" in kernels.chosen(plain.neuron, maps, plain.linear).reason
    assert torch.equal(plain(maps), ran(plain, maps, "eager")[0])


def test_bits_do_not_depend_on_threads() -> None:
    """Large enough to be shared out."""
    x = signal(3, (9, 6, 20_000))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            found.append(ran(COVERED["lif learned"](1.0), x, "fused"))
    finally:
        torch.set_num_threads(before)
    first, *others = found
    for spikes, grads in others:
        assert torch.equal(spikes, first[0])
        assert all(torch.equal(a, b) for a, b in zip(grads, first[1], strict=True))


@pytest.mark.parametrize("kind", ["lif", "plif", "cuba learned", "zenke attached"])
@pytest.mark.parametrize("size", [4, 900])
def test_held_input(kind: str, size: int) -> None:
    """Not copied, and its gradient is summed over time; in one block of neurons, and in two."""
    neuron = COVERED[kind](1.0).double()
    image = signal(5, (3, size), torch.float64).requires_grad_()
    weight = torch.linspace(-1, 1, 21 * size, dtype=torch.float64).view(7, 3, size)
    found = []
    for mode in ("fused", "eager"):
        with kernels.asked(mode):
            spikes = neuron(held(image * 2, 7))
        grads = torch.autograd.grad((spikes * weight).sum(), (image, *neuron.parameters()))
        found.append((spikes, grads))
    assert torch.equal(found[0][0], found[1][0])
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "laid",
    [
        lambda x: x.transpose(2, 4),  # channels last
        lambda x: x[:, :, :, ::2],  # with gaps
        lambda x: x.transpose(0, 1),  # batch first in memory
    ],
)
def test_any_layout(laid: Callable[[Tensor], Tensor]) -> None:
    x = laid(signal(7, (4, 4, 3, 6, 5)))
    neuron = COVERED["lif"](1.0)
    (spikes, grads), (wanted, right) = ran(neuron, x, "fused"), ran(neuron, x, "eager")
    assert torch.equal(spikes, wanted)
    assert torch.equal(grads[0], right[0])


def test_a_gradient_that_is_held_in_time() -> None:
    x = signal(8, (5, 2, 3)).requires_grad_()
    found = []
    for mode in ("fused", "eager"):
        with kernels.asked(mode):
            found.append(torch.autograd.grad(LIF()(x).mean(), x)[0])
    assert torch.equal(*found)


class Odd(LIF):
    """Has a step of its own."""

    plain_step = False


class Tired(LIF):
    """Rests for longer than the one dead step that has a kernel."""

    refractory = 2


@pytest.mark.parametrize(
    "neuron, x, why",
    [
        (Odd(), torch.ones(3, 1, 2), "not the plain one"),
        (Tired(), torch.ones(3, 1, 2), "a refractory period of 2"),
        (LIF(surrogate=ForwardSigmoid()), torch.ones(3, 1, 2), "ForwardSigmoid"),
        (LIF(), torch.ones(3, 1, 2, dtype=torch.complex64), "an input of complex64"),
    ],
)
def test_what_is_not_covered_is_eager_or_refused(neuron: Neuron, x: Tensor, why: str) -> None:
    chosen = kernels.chosen(neuron, x)
    assert not chosen.fused and why in chosen.reason
    if x.is_floating_point():
        assert neuron(x).dtype == x.dtype
    with kernels.asked("fused"), pytest.raises(ConfigError, match=why):
        neuron(x)


def test_who_watches_sees_every_step() -> None:
    neuron = LIF()
    x = signal(9, (4, 1, 3))
    assert kernels.chosen(neuron, x).engine == ENGINE
    seen: list[Any] = []
    neuron.watch = lambda spikes, state: seen.append(spikes)
    with kernels.asked("fused"):
        spikes = neuron(x)
    assert torch.equal(torch.stack(seen), spikes)


def test_the_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.VARIABLE, "eager")
    with kernels.asked("fused"):
        assert kernels.chosen(LIF(), torch.ones(2, 1, 1)) == kernels.Choice("eager", "asked for")
    monkeypatch.setenv(choice.VARIABLE, "quick")
    with pytest.raises(ConfigError, match="SPIKEPORT_KERNELS is 'quick'"):
        LIF()(torch.ones(2, 1, 1))


def test_what_this_machine_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels.on_this_machine()["cpu"] == f"fused: {ENGINE}"
    monkeypatch.setenv(choice.VARIABLE, "eager")
    assert kernels.on_this_machine()["cpu"] == "eager torch: asked for"


def test_only_what_is_saved_is_kept() -> None:
    """One tensor of [T, B, N], or the step that is held; nothing without gradients."""
    x = signal(10, (4, 2, 3))
    assert LIF()(x).grad_fn is None
    out = LIF()(x.requires_grad_())  # older releases of torch let go of what a lost output saved
    assert [s.numel() for s in out.grad_fn.saved_tensors if s is not None] == [24]
    out = LIF()(held(x[0], 4))
    saved = out.grad_fn.saved_tensors
    assert sum(s.numel() for s in saved if s is not None) == (6 if ENGINE == "numba" else 24)
    with torch.no_grad():
        assert LIF()(x).grad_fn is None


def test_a_surrogate_of_ones_own_is_eager() -> None:
    class Steep(Surrogate):
        def shape(self, z: Tensor) -> Tensor:
            return torch.exp(-z * z)

    neuron: nn.Module = LIF(surrogate=Steep())
    assert isinstance(neuron, Neuron)
    assert "Steep" in kernels.chosen(neuron, torch.ones(2, 1, 1)).reason
