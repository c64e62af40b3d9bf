"""One library's LIF layer, timed in a process of its own: it imports nothing of spikeport, unless
spikeport is what is timed, so that any environment with torch can run it.

    python neurons_worker.py LIBRARY

Lines of JSON in: {"shape": [T, B, N]}, and lines of seconds out, one forward and backward pass
each; {"shape": ..., "spikes": true} gives their digest, a sum of spikes weighted by place.
The layer: v <- 0.5 v + x; s <- v > 1; v <- 0 where s; arc-tangent surrogate, detached reset.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Run = Callable[[Tensor], Tensor]
TRY = 3  # passes before the first that counts


def spikeport(mode: str) -> Run:
    """Ours: fused or eager."""
    from spikeport.trainer import kernels
    from spikeport.trainer.neurons import LIF
    from spikeport.trainer.surrogate_forms import atan

    layer = LIF(0.5, surrogate=atan(2.0))

    def run(x: Tensor) -> Tensor:
        with kernels.asked(mode):  # type: ignore[arg-type]
            spikes: Tensor = layer(x)
        return spikes

    return run


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


def spikingjelly() -> Run:
    """Its multi-step mode on torch."""
    from spikingjelly.activation_based import functional, neuron, surrogate

    layer = neuron.LIFNode(2.0, False, 1.0, 0.0, surrogate.ATan(), True, "m")

    def run(x: Tensor) -> Tensor:
        functional.reset_net(layer)
        spikes: Tensor = layer(x)
        return spikes

    return run


def snntorch() -> Run:
    """Leaky, reset at once, step by step."""
    from snntorch import Leaky, surrogate

    layer = Leaky(0.5, reset_mechanism="zero", reset_delay=False, spike_grad=surrogate.atan())

    def run(x: Tensor) -> Tensor:
        mem, out = layer.init_leaky(), []
        for drive in x.unbind(0):
            s, mem = layer(drive, mem)
            out.append(s)
        return torch.stack(out)

    return run


def norse() -> Run:
    """LIFBox with dt / tau = 1 / 2, given twice the input, step by step."""
    from norse.torch.functional.lif_box import (
        LIFBoxFeedForwardState,
        LIFBoxParameters,
        lif_box_feed_forward_step,
    )

    p = LIFBoxParameters(torch.as_tensor(500.0), torch.as_tensor(0.0), torch.as_tensor(1.0))

    def run(x: Tensor) -> Tensor:
        state, out = LIFBoxFeedForwardState(torch.zeros_like(x[0])), []
        for drive in (2 * x).unbind(0):
            s, state = lif_box_feed_forward_step(drive, state, p)
            out.append(s)
        return torch.stack(out)

    return run


LIBRARIES: dict[str, Callable[[], Run]] = {
    "fused": lambda: spikeport("fused"),
    "eager": lambda: spikeport("eager"),
    "compiled": compiled,
    "spikingjelly": spikingjelly,
    "snntorch": snntorch,
    "norse": norse,
}


def digest(spikes: Tensor) -> list[float]:
    """[how many, sum of places] of the spikes."""
    found = spikes.detach().flatten().nonzero()
    return [float(len(found)), float(found.sum())]


def copied(shape: list[int]) -> Run:
    """What must move: forward x in, spikes and state out; backward two in, one out."""
    there = [torch.zeros(shape) for _ in range(3)]

    def run(x: Tensor) -> Tensor:
        for place in there:
            place.copy_(x)
        return there[0]

    return run


def passed(run: Run, x: Tensor, grad: Tensor) -> float:
    """Seconds of a pass forward and, if there is a way back, backward."""
    x.grad = None
    start = time.perf_counter()
    spikes = run(x)
    if spikes.requires_grad:
        spikes.backward(grad)  # type: ignore[no-untyped-call]
    return time.perf_counter() - start


def main() -> None:
    """Answer until the input ends."""
    library = sys.argv[1]
    run = None if library == "copy" else LIBRARIES[library]()
    shape: list[int] = []
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["shape"] != shape:
            shape = asked["shape"]
            random = torch.Generator().manual_seed(0)
            x = torch.randn(shape, generator=random).requires_grad_(library != "copy")
            grad = torch.randn(shape, generator=random)
            work = run or copied(shape)
            for _ in range(TRY):
                passed(work, x, grad)
        found = digest(work(x)) if asked.get("spikes") else passed(work, x, grad)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
