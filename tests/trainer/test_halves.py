"""Inputs and spikes in float16 and bfloat16: currents and membranes stay in float32."""

import pytest
import torch
from torch import Tensor, nn

from spikeport.trainer import kernels
from spikeport.trainer.layers import Recurrent
from spikeport.trainer.neurons import IF, LIF, Neuron
from spikeport.trainer.potential import potential
from spikeport.trainer.readouts.layers import LeakyReadout

from .test_kernels import COVERED, ENGINE, ran, signal

MODES: tuple[kernels.Mode, ...] = ("fused", "eager")


def rounded(found: Tensor, exact: Tensor) -> bool:
    """Whether it is the float32 one to the nearest. Triton's interpreter, unlike the PTX that
    `test_gpu_kernels` reads, cuts a bfloat16 off instead."""
    if ENGINE == "triton" and found.dtype == torch.bfloat16:
        return bool(((found - exact).abs() <= 2**-7 * exact.abs()).all())
    return torch.equal(found, exact.to(found.dtype))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["lif learned", "cuba learned", "zenke attached", "plif"])
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_it_is_the_float32_neuron(kind: str, half: torch.dtype, mode: kernels.Mode) -> None:
    """The same spikes, and its gradients, rounded where they leave for the layer before."""
    neuron = COVERED[kind](1.0)
    x = signal(3, (6, 2, 7)).to(half)
    assert kernels.chosen(neuron, x).engine == ENGINE
    weight = torch.linspace(-1, 1, x.numel()).view(x.shape).to(half)
    found = []
    for given in (x, x.float()):
        given = given.detach().requires_grad_()
        with kernels.asked(mode):
            spikes = neuron(given)
        assert spikes.dtype == given.dtype
        grads = torch.autograd.grad(spikes, (given, *neuron.parameters()), weight.to(given.dtype))
        found.append((spikes, grads))
    (spikes, (to_x, *of_numbers)), (wanted, (right, *others)) = found
    assert torch.equal(spikes.float(), wanted)
    assert rounded(to_x, right)
    assert all(torch.equal(a, b) for a, b in zip(of_numbers, others, strict=True))


@pytest.mark.parametrize("mode", MODES)
def test_a_membrane_goes_on_where_a_half_would_stand_still(mode: kernels.Mode) -> None:
    """256 + 1 is 256 in bfloat16."""
    with kernels.asked(mode):
        spikes = IF(threshold=300.5)(torch.ones(302, 1, 1, dtype=torch.bfloat16))
    assert spikes.flatten().nonzero().tolist() == [[300]]


@pytest.mark.parametrize("mode", MODES)
def test_membranes_that_are_the_output(mode: kernels.Mode) -> None:
    """They are rounded when they are said."""
    x = signal(4, (9, 2, 5)).bfloat16()
    for run in (LeakyReadout(0.9, 0.8), LeakyReadout(0.9, initial=0.5), lambda x: potential(x, 3)):
        with kernels.asked(mode):
            said: Tensor = run(x)
            assert said.dtype == torch.bfloat16 and rounded(said, run(x.float()))


def test_a_population_that_hears_itself_is_eager() -> None:
    """What it says goes through a layer in bfloat16, and is added to a current in float32."""
    layer = Recurrent(LIF(), nn.Linear(3, 3)).bfloat16()
    x = signal(5, (5, 2, 3)).bfloat16()
    neuron = layer.neuron
    assert isinstance(neuron, Neuron)
    assert "mixed precision" in kernels.chosen(neuron, x, layer.linear).reason
    spikes, grads = ran(layer, x, "auto")
    assert spikes.dtype == torch.bfloat16 and 0 < spikes.mean() < 1
    v, s = torch.zeros(2, 3), torch.zeros(2, 3, dtype=torch.bfloat16)
    for t, drive in enumerate(x):
        v = 0.5 * v + (drive.float() + layer.linear(s))
        s = (v > 1).bfloat16()
        v = v * (1 - s.float())
        assert torch.equal(spikes[t], s)
