"""A model of another library, copied to float64 and run over a sequence from rest."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ....core.arrays import Array
from ....core.errors import UnsupportedNode
from .kinds import population
from .library import home
from .trace import defaults_of, within


def copied(model: nn.Module) -> nn.Module:
    """A copy in eval mode, at rest, on the CPU, in float64 down to what .double() misses: states
    and parameters in tuples, and surrogates that answer in float32."""
    known: dict[int, Any] = {}
    for layer in model.modules():
        mine = vars(layer)
        for value in (
            *mine.values(),
            *layer._buffers.values(),
            *mine.get("_memories", {}).values(),
        ):
            if isinstance(value, Tensor) and not value.is_leaf:  # torch copies none of these
                known[id(value)] = value.detach().clone()
    whole = copy.deepcopy(model, known).double().cpu().eval()
    for layer in whole.modules():
        exact(layer)
    rested(whole)
    return whole


def exact(layer: Any) -> None:
    """Let a population of theirs compute in float64."""
    if home(layer) == "snntorch" and callable(getattr(layer, "spike_grad", None)):
        layer.spike_grad = in_its_type(layer.spike_grad)
    if home(layer) == "norse" and isinstance(getattr(layer, "p", None), tuple):
        layer.p = doubled(layer.p)
        layer.state_fallback = doubled_after(layer.state_fallback)


def in_its_type(fires: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Spikes of the type of the membrane."""
    return lambda v: fires(v).to(v.dtype)


def doubled_after(made: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    """A first state in float64."""
    return lambda x: doubled(made(x))


def doubled(values: Any) -> Any:
    """A NamedTuple with its tensors in float64."""
    return type(values)(
        *(v.detach().cpu().double() if isinstance(v, Tensor) else v for v in values)
    )


def rested(model: nn.Module) -> None:
    """Every population back at its start."""
    layer: Any
    for layer in model.modules():
        if home(layer) == "snntorch" and hasattr(layer, "reset_mem"):
            layer.reset_mem()
        if home(layer) == "spikingjelly" and hasattr(layer, "reset"):
            layer.reset()


def run(model: nn.Module, x: Array, sequences: bool) -> tuple[list[Any], dict[str, Tensor]]:
    """(what forward returned: once, or at every step; population -> its output [T, B, *shape])
    for x [T, B, *shape]. The model is one of `copied`."""
    signal = torch.tensor(x)
    with torch.no_grad(), heard(model) as outputs:
        if sequences:
            returned = [model(signal)]
        else:
            returned = list(step_by_step(model, signal))
    rested(model)
    once = {name: sequences and len(calls) == 1 for name, calls in outputs.items()}
    return returned, {n: v[0] if once[n] else torch.stack(v) for n, v in outputs.items()}


def step_by_step(model: nn.Module, x: Tensor) -> Iterator[Any]:
    """What the model returns at each step; Norse's cells are handed back the state."""
    if not any(home(layer) == "norse" for layer in model.modules()):
        yield from (model(now) for now in x)
        return
    if not defaults_of(model):
        raise UnsupportedNode(
            f"{type(model).__name__}.forward takes no state, so that Norse's cells in it start "
            "anew at every step; let it take a state, None by default, and return (output, state)"
        )
    state = None
    for now in x:
        returned = model(now, state)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise UnsupportedNode(
                f"{type(model).__name__}.forward must return (output, state), from which its "
                "cells go on at the next step"
            )
        state = returned[1]
        yield returned


@contextmanager
def heard(model: nn.Module) -> Iterator[dict[str, list[Tensor]]]:
    """A dictionary that fills with what each population gives, call by call."""
    outputs: dict[str, list[Tensor]] = {}
    handles = []
    for name, layer in model.named_modules():
        if population(layer) and not within(name, model):
            outputs[name] = []
            handles.append(layer.register_forward_hook(kept(outputs[name])))
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def kept(calls: list[Tensor]) -> Callable[[nn.Module, Any, Any], None]:
    """A hook that notes spikes, without the state beside them."""
    return lambda layer, given, out: calls.append(out[0] if isinstance(out, tuple) else out)
