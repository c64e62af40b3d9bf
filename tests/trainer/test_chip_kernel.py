"""The chip's neurons over all steps at once are the law, step by step, gradients included."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from spikeport.core import loihi
from spikeport.core.arrays import frozen
from spikeport.core.chip_nodes import ChipNeuron
from spikeport.core.errors import ConfigError
from spikeport.core.neuron import State, step
from spikeport.core.nodes import Neuron
from spikeport.trainer.graph.populations import ChipPopulation
from spikeport.trainer.graph.straight import through
from spikeport.trainer.surrogate import ATan, SuperSpike, Surrogate, Triangle

SHAPE = (3, 2, 4)
SCALE = 50.0


def population(
    reset: str,
    detach: bool = True,
    current: bool = True,
    surrogate: Surrogate | None = None,
    **registers: Any,
) -> ChipPopulation:
    """Registers of any size, each neuron with its own unless told otherwise."""
    random = np.random.default_rng(7)
    numbers: dict[str, Any] = {
        "du": random.integers(0, 4096, SHAPE) if current else np.asarray(4095),
        "dv": random.integers(0, 4096, SHAPE),
        "vth": random.integers(1, 300, SHAPE),
        **registers,
    }
    chip = ChipNeuron(SHAPE, **numbers, bias_mant=np.asarray(0), reset=reset, scale=frozen(SCALE))
    real = Neuron(
        SHAPE,
        frozen(0.5),
        frozen(chip.vth / SCALE),
        decay_u=frozen(0.5) if current else None,
        reset=reset,  # type: ignore[arg-type]
    )
    return ChipPopulation("p", real, chip, surrogate or Triangle(2.0, 0.7), detach)


def drive(largest: int, held: bool = False) -> Tensor:
    """Whole sums x [T, B, *SHAPE]."""
    x = torch.from_numpy(np.random.default_rng(8).integers(-largest, largest, (9, 5, *SHAPE)))
    x = x.double() + largest // 4
    return x[0].expand(9, *x.shape[1:]) if held else x


def both(
    neurons: ChipPopulation, x: Tensor, bias: Tensor | None
) -> list[tuple[Tensor, list[Tensor]]]:
    """[(spikes, gradients of x and the bias)] of the kernel and of the law."""
    found = []
    weight = torch.from_numpy(np.random.default_rng(9).normal(size=(9, 5, *SHAPE)))
    for eager in (False, True):
        neurons.watch = (lambda spikes, state: None) if eager else None  # watched: step by step
        given = [
            v.clone().requires_grad_()
            for v in (x[:1] if x.stride(0) == 0 else x, bias)
            if v is not None
        ]
        heard = given[0].expand(x.shape) if x.stride(0) == 0 else given[0]
        spikes = neurons(heard, None, given[1] if bias is not None else None)
        grads = torch.autograd.grad((spikes * weight).sum(), given)
        found.append((spikes.detach(), list(grads)))
    neurons.watch = None
    return found


@pytest.mark.parametrize("largest", [300, 40_000, 400_000])  # the last wraps and saturates
@pytest.mark.parametrize("reset", ["value", "subtract"])
@pytest.mark.parametrize("detach", [True, False])
@pytest.mark.parametrize("current", [True, False])
def test_the_kernel_is_the_law(largest: int, reset: str, detach: bool, current: bool) -> None:
    neurons = population(reset, detach, current, ATan(30.0))  # wide: some gradient everywhere
    bias = torch.linspace(-3.0, 4.0, 3, dtype=torch.float64).reshape(3, 1, 1)
    for x in (drive(largest), drive(largest, held=True)):
        (spikes, grads), (wanted, by_law) = both(neurons, x, bias)
        assert torch.equal(spikes, wanted) and 0.02 < spikes.mean() < 0.98
        for ours, theirs in zip(grads, by_law, strict=True):
            assert theirs.abs().max() > 0
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("surrogate", [Triangle(2.0, 0.7), SuperSpike(0.3, 2.0)])
def test_any_surrogate(surrogate: Surrogate) -> None:
    (spikes, grads), (wanted, by_law) = both(
        population("value", surrogate=surrogate), drive(500), None
    )
    assert torch.equal(spikes, wanted)
    torch.testing.assert_close(grads, by_law, rtol=1e-12, atol=1e-12)


def test_float32_and_channels_last_move_no_bit() -> None:
    neurons, x = population("value"), drive(400)
    wanted = neurons(x)
    assert torch.equal(neurons(x.float()).double(), wanted)
    last = x.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)
    assert last.stride() != x.stride()
    assert torch.equal(neurons(last), wanted)


def test_what_wraps_and_what_saturates_is_there() -> None:
    """The drives of the test above do reach the ends of the registers."""
    du, dv, vth, mant = (np.asarray(n) for n in (2000, 0, 100, 0))
    law = loihi.law(loihi.Registers(du, dv, vth, mant))
    state, ends = State(np.zeros(50, np.int64), np.zeros(50, np.int64)), [False, False]
    for sums in np.random.default_rng(1).integers(-100_000, 500_000, (9, 50)):
        before = loihi.scaled(state.u * (loihi.ONE - 2001)) + (sums << loihi.SHIFT)
        _, state = step(state, sums, law)
        ends[0] |= bool((state.u != before).any())
        ends[1] |= bool((abs(before) >= loihi.LIMIT).any())
    assert ends == [True, True]


def test_gradients_pass_straight_through() -> None:
    x = torch.tensor([-7.6, 0.4, 300.0], dtype=torch.float64, requires_grad=True)
    passed = through(torch.round, 0.25)(x)
    assert passed.tolist() == [-8.0, 0.0, 300.0]
    torch.autograd.backward(passed.sum())
    assert x.grad is not None and x.grad.tolist() == [0.25] * 3


def test_a_surrogate_of_states_is_the_one_of_real_numbers() -> None:
    v = torch.linspace(-2, 3, 41, dtype=torch.float64, requires_grad=True)
    unit, one = torch.tensor(64.0).double(), torch.tensor(1.0).double()
    for surrogate in (Triangle(0.8, 1.3), ATan(), SuperSpike()):
        real = torch.autograd.grad(surrogate(v, 1.0).sum(), v)[0]
        states = surrogate.of_states(v * unit, one * unit, one * unit, unit)
        assert torch.equal(states, surrogate(v, 1.0))
        torch.testing.assert_close(torch.autograd.grad(states.sum(), v)[0], real)
    with pytest.raises(ConfigError):
        Triangle(width=0.0)


def test_the_kernel_leaves_torch_its_threads() -> None:
    """numba begins with all cores, in the OpenMP that torch runs on, too."""
    script = (
        "import numba, torch; from spikeport.trainer.graph.kernel import share_out; "
        "torch.set_num_threads(3); share_out(10**9); before = torch.get_num_threads(); "
        "share_out(1); print(before, torch.get_num_threads(), numba.get_num_threads())"
    )
    surroundings = {**os.environ, "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"}
    told = subprocess.check_output([sys.executable, "-c", script], text=True, env=surroundings)
    assert told.split() == ["3", "3", "1"]
