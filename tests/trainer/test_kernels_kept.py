"""What fused populations keep for their backward pass, and when they are looked at anew."""

import gc
import warnings
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks

from spikeport.trainer import kernels
from spikeport.trainer.neurons import LIF, PLIF, CubaLIF, Neuron, ZenkeLIF

NEURONS: dict[str, Callable[[], Neuron]] = {
    "lif": lambda: LIF(0.7),
    "plif": lambda: PLIF(2.0),
    "cuba": lambda: CubaLIF(0.6, 0.8, learn=("decay", "decay_syn", "threshold")),
    "dead step": lambda: ZenkeLIF(0.7, 0.8),
}


def as_half(kept: Tensor) -> Tensor:
    """Keeps halves, and forgets to make floats of them again."""
    return kept.bfloat16() if kept.is_floating_point() else kept


HOOKS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "offloaded": lambda: save_on_cpu(pin_memory=True),  # its copies lie in the usual order
    "turned": lambda: saved_tensors_hooks(turned, lambda kept: kept),
}


def turned(kept: Tensor) -> Tensor:
    """Equal values, the first axis of which is the innermost."""
    return kept.movedim(0, -1).contiguous().movedim(-1, 0)


def gradients(
    neuron: Neuron, mode: kernels.Mode, hooks: AbstractContextManager[object], held: bool
) -> list[Tensor]:
    """Of a channels-last input, which may be held, and of what is learned."""
    torch.manual_seed(3)
    x = (2 * torch.randn(1 if held else 5, 2, 5, 6, 3)).permute(0, 1, 4, 2, 3)
    weight = torch.randn(5, 2, 3, 5, 6)
    x = (x[0] if held else x).detach().requires_grad_()
    with kernels.asked(mode), hooks:
        spikes = neuron(x.expand(5, *x.shape) if held else x)
    return list(torch.autograd.grad(spikes, (x, *neuron.parameters()), weight))


@pytest.mark.parametrize("held", [False, True], ids=["every step", "held"])
@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("hooks", HOOKS)
def test_what_hooks_hand_back_may_lie_otherwise(hooks: str, name: str, held: bool) -> None:
    """They promise values, not strides."""
    neuron = NEURONS[name]()
    plainly = gradients(neuron, "fused", saved_tensors_hooks(lambda t: t, lambda t: t), held)
    found = gradients(neuron, "fused", HOOKS[hooks](), held)
    for ours, same, right in zip(
        found, plainly, gradients(neuron, "eager", HOOKS[hooks](), held), strict=True
    ):
        assert torch.equal(ours, same)
        assert torch.allclose(ours, right, rtol=1e-4, atol=1e-4)


def test_what_hooks_hand_back_in_halves_is_read_as_such() -> None:
    """Not as if each two were a float."""
    found = gradients(LIF(0.7), "fused", saved_tensors_hooks(as_half, lambda t: t), False)
    right = gradients(LIF(0.7), "eager", saved_tensors_hooks(lambda t: t, lambda t: t), False)
    off = (found[0] - right[0]).abs() > 0.1
    assert float(off.float().mean()) < 0.05


def test_an_input_that_is_written_to_by_its_own_spikes_is_freed() -> None:
    """What is kept of it does not lead back to the population."""
    start, neuron = torch.randn(4, 3, 5, requires_grad=True), PLIF(2.0)
    x = start * 1
    spikes = neuron(x)
    x.add_(spikes)
    gone = weakref.ref(spikes.grad_fn)
    del x, spikes
    gc.collect()
    assert gone() is None


def test_what_is_registered_after_a_pass_is_heard() -> None:
    neuron, x = LIF(0.7), 2 * torch.randn(6, 3, 5)
    neuron(x)
    assert kernels.chosen(neuron, x).fused
    del neuron.v_reset
    neuron.register_parameter("v_reset", nn.Parameter(torch.tensor(0.4)))
    assert kernels.chosen(neuron, x).reason == "a learned v_reset"
    with kernels.asked("eager"):
        right = neuron(x)
    assert torch.equal(neuron(x), right) and right.requires_grad


@pytest.mark.parametrize("name", ["lif", "plif", "dead step"])
def test_of_a_population_that_hears_itself_too(name: str) -> None:
    neuron, back = NEURONS[name](), nn.Linear(7, 7)
    x = (2 * torch.randn(5, 4, 7)).requires_grad_()
    told = (x, *back.parameters(), *neuron.parameters())
    weight, found = torch.randn(5, 4, 7), []
    for hooks in (saved_tensors_hooks(lambda t: t, lambda t: t), HOOKS["turned"]()):
        with kernels.asked("fused"), hooks:
            spikes = neuron(x, back)
        found.append(torch.autograd.grad(spikes, told, weight))
    for ours, right in zip(*found, strict=True):  # a turned weight is summed in another order
        assert torch.allclose(ours, right, rtol=1e-4, atol=1e-4)


def test_what_hooks_hold_is_not_written_to() -> None:
    """The gradient takes memory of the pass's own alone."""
    held: list[Tensor] = []

    def keep(kept: Tensor) -> int:
        held.append(kept.clone())
        return len(held) - 1

    neuron, x = LIF(0.7), torch.randn(4, 3, 500, requires_grad=True)
    with saved_tensors_hooks(keep, held.__getitem__):
        spikes = neuron(x)
    before = [kept.clone() for kept in held]
    (found,) = torch.autograd.grad(spikes.sum(), x)
    (right,) = torch.autograd.grad(neuron(x).sum(), x)
    assert torch.equal(found, right) and before and all(map(torch.equal, held, before))


def test_what_is_loaded_from_files_may_be_read_only(tmp_path: Path) -> None:
    def keep(kept: Tensor) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, kept.detach().numpy())
        return path

    def load(path: Path) -> Tensor:
        with warnings.catch_warnings():  # torch tells that it must not be written to
            warnings.simplefilter("ignore", UserWarning)
            return torch.from_numpy(np.load(path, mmap_mode="r"))

    neuron, x = LIF(0.7), torch.randn(4, 3, 5000, requires_grad=True)
    with saved_tensors_hooks(keep, load):
        spikes = neuron(x)
    (found,) = torch.autograd.grad(spikes.sum(), x)
    (right,) = torch.autograd.grad(neuron(x).sum(), x)
    assert torch.equal(found, right)
