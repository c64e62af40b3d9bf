"""One LIF layer in every library.

v <- 0.5 v + x; s <- v > 1; v <- 0 where s; arc-tangent surrogate, detached reset. 'relu' is no
neuron at all, the twin that nets are held against.
"""

import inspect
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

Run = Callable[[Tensor], Tensor]  # [T, B, *shape] -> spikes, or one step of it
JELLY_WAYS = ("torch", "cuda", "triton", "cupy")
Begin = Callable[[], Run]  # one step at a time, from rest


def spikeport(mode: str) -> Run:
    """Ours: fused or eager, in all of this process."""
    from spikeport.trainer.kernels import choice
    from spikeport.trainer.neurons import LIF
    from spikeport.trainer.surrogate_forms import atan

    os.environ[choice.VARIABLE] = mode
    return LIF(0.5, surrogate=atan(2.0))


def compiled() -> Run:
    """The eager loop as torch.compile makes it, written out without our classes."""

    class Fire(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, v: Tensor) -> Tensor:
            ctx.save_for_backward(v)
            spikes: Tensor = (v > 1).to(v.dtype)
            return spikes

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (v,) = ctx.saved_tensors
            flow: Tensor = grad / (1 + (torch.pi * (v - 1)) ** 2)
            return flow

    def run(x: Tensor) -> Tensor:
        v, out = torch.zeros_like(x[0]), []
        for drive in x.unbind(0):
            v = 0.5 * v + drive
            s = Fire.apply(v)  # type: ignore[no-untyped-call]
            v = v * (1 - s.detach())
            out.append(s)
        return torch.stack(out)

    return torch.compile(run, dynamic=False)


def spikingjelly(way: str = "") -> Run:
    """Its multi-step mode, by one of its kernels; '' is what it takes by itself.

    Releases from 2.0 are told by a variable, older ones by the layer's own argument."""
    if way:
        os.environ["SJ_LIF_CUDA_IMPLEMENTATION"] = way
    from spikingjelly.activation_based import functional, neuron, surrogate

    told = {}
    if way and "backend" in inspect.signature(neuron.LIFNode.__init__).parameters:
        told["backend"] = way
    elif way == "cupy":
        raise SystemExit("this SpikingJelly has no kernels in cupy")
    layer = neuron.LIFNode(2.0, False, 1.0, 0.0, surrogate.ATan(), True, "m", **told)

    def run(x: Tensor) -> Tensor:
        functional.reset_net(layer)
        spikes: Tensor = layer(x)
        return spikes

    return run


def spikingjelly_steps() -> Begin:
    """The same, step by step."""
    from spikingjelly.activation_based import functional, neuron, surrogate

    layer = neuron.LIFNode(2.0, False, 1.0, 0.0, surrogate.ATan(), True)

    def begin() -> Run:
        functional.reset_net(layer)
        return layer  # type: ignore[no-any-return]

    return begin


def snntorch_steps() -> Begin:
    """Leaky, reset at once."""
    from snntorch import Leaky, surrogate

    layer = Leaky(0.5, reset_mechanism="zero", reset_delay=False, spike_grad=surrogate.atan())

    def begin() -> Run:
        mem: Any = None

        def step(drive: Tensor) -> Tensor:
            nonlocal mem
            if mem is None:
                mem = layer.to(drive.device).init_leaky().to(drive.device)
            spikes, mem = layer(drive, mem)
            return spikes  # type: ignore[no-any-return]

        return step

    return begin


def norse_steps() -> Begin:
    """LIFBox with dt / tau = 1 / 2, given twice the input."""
    from norse.torch.functional.lif_box import (
        LIFBoxFeedForwardState,
        LIFBoxParameters,
        lif_box_feed_forward_step,
    )

    p: Any = None

    def begin() -> Run:
        state: Any = None

        def step(drive: Tensor) -> Tensor:
            nonlocal state, p
            if p is None:
                p = LIFBoxParameters(*(drive.new_tensor(n) for n in (500.0, 0.0, 1.0)))
            state = LIFBoxFeedForwardState(torch.zeros_like(drive)) if state is None else state
            spikes, state = lif_box_feed_forward_step(2 * drive, state, p)
            return spikes  # type: ignore[no-any-return]

        return step

    return begin


def sinabs() -> Run:
    """LIF that fires at most once a step, with its own reset to 0 and the others' surrogate."""
    from math import log, pi

    from sinabs.activation import MembraneReset, SingleSpike
    from sinabs.layers import LIF

    def atan(v: Tensor, threshold: float) -> Tensor:
        return 1 / (1 + (pi * (v - threshold)) ** 2)

    layer = LIF(
        1 / log(2),  # its decay is exp(-1 / tau)
        spike_fn=SingleSpike,
        reset_fn=MembraneReset(),
        surrogate_grad_fn=atan,
        norm_input=False,
    )

    def run(x: Tensor) -> Tensor:
        layer.reset_states()
        spikes: Tensor = layer(x)
        return spikes

    return run


def slayer() -> Run:
    """lava-dl's current-based neurons with a current that fades at once, in steps of 2^-22."""
    from lava.lib.dl.slayer.neuron import cuba

    layer = cuba.Neuron(1.0, 1.0, 0.5, scale=1 << 16)

    def run(x: Tensor) -> Tensor:
        spikes: Tensor = layer(x)
        return spikes

    return run


def late() -> Run:
    """Ours as Spyx has it: what fires is the membrane of the step before, and one is taken off
    after the decay, which is two before it."""
    import numpy as np

    from spikeport.core.arrays import frozen
    from spikeport.core.interpreter import Population, real_law
    from spikeport.core.nodes import Neuron

    amount = frozen(2.0)

    def run(x: Tensor) -> Tensor:
        node = Neuron(
            tuple(x.shape[2:]), frozen(0.5), frozen(1.0), reset="subtract", reset_amount=amount
        )
        fire = Population(real_law(node), tuple(x.shape[1:]), np.float64)
        spikes = np.stack([fire(drive) for drive in x.detach().double().numpy()])
        return torch.tensor(np.concatenate([np.zeros_like(spikes[:1]), spikes[:-1]]))

    return run


def in_turn(begin: Begin) -> Run:
    """All steps, one after the other."""

    def run(x: Tensor) -> Tensor:
        step = begin()
        return torch.stack([step(drive) for drive in x.unbind(0)])

    return run


def heard(begin: Begin) -> Callable[[Tensor, nn.Linear], Tensor]:
    """All steps of a population that hears its own last spikes."""

    def run(x: Tensor, back: nn.Linear) -> Tensor:
        step, out = begin(), [torch.zeros_like(x[0])]
        for drive in x.unbind(0):
            out.append(step(drive + back(out[-1])))
        return torch.stack(out[1:])

    return run


def our_scan(mode: str) -> Callable[[Tensor, nn.Linear], Tensor]:
    """Ours, all steps in one operation where fused."""
    from spikeport.trainer import kernels
    from spikeport.trainer.neurons import LIF
    from spikeport.trainer.surrogate_forms import atan

    layer = LIF(0.5, surrogate=atan(2.0))

    def run(x: Tensor, back: nn.Linear) -> Tensor:
        with kernels.asked(mode):  # type: ignore[arg-type]
            spikes: Tensor = layer(x, back)
        return spikes

    return run


STEPS: dict[str, Callable[[], Begin]] = {
    "spikingjelly": spikingjelly_steps,
    **{f"spikingjelly-{way}": spikingjelly_steps for way in JELLY_WAYS},
    "snntorch": snntorch_steps,
    "norse": norse_steps,
    "relu": lambda: lambda: torch.relu,
}
# axes of [T, B, N] as a library has them, and back
LAYOUTS = {"sinabs": ((1, 0, 2), (1, 0, 2)), "lava-dl": ((1, 2, 0), (2, 0, 1))}
LIBRARIES: dict[str, Callable[[], Run]] = {
    "fused": lambda: spikeport("fused"),
    "eager": lambda: spikeport("eager"),
    "compiled": compiled,
    "spikingjelly": spikingjelly,
    **{f"spikingjelly-{way}": partial(spikingjelly, way) for way in JELLY_WAYS},
    "snntorch": lambda: in_turn(snntorch_steps()),
    "norse": lambda: in_turn(norse_steps()),
    "sinabs": sinabs,
    "lava-dl": slayer,
    "late": late,
    "relu": lambda: torch.relu,
}
