"""Holds a network to the module that it was lowered from: every spike, and the outputs."""

import copy
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ...core import interpreter
from ...core.arrays import Array
from ...core.errors import NetworkError, UnsupportedNode
from ...core.network import Network
from ...core.nodes import Input
from ...core.recording import Recording
from ...core.schedule import compile
from ...trainer.evaluate import recorded
from ...trainer.graph import GraphNet
from ...trainer.neurons import Neuron
from ...trainer.readouts import LeakyReadout
from ..passes.base import probe_input
from .beside import Begun
from .steps import steps_of

CHECK_STEPS = 2
Spikes = tuple[Any, dict[str, Any]]  # outputs [T, B, N], and spikes by the neurons' names


class Passing(Begun[Spikes]):
    """A module's own pass over a sample, begun before there is a network to be held to it. It runs
    a copy, so that the module can be looked at meanwhile."""

    def __init__(self, model: nn.Module, port: Input, steps: int, batch: int) -> None:
        self.x = probe_input(port, steps_of(model) or steps + late(model), batch)
        own = alike(model)
        super().__init__(lambda: own_spikes(own, self.x))


def held_against(
    model: nn.Module,
    network: Network,
    steps: int = CHECK_STEPS,
    batch: int = 1,
    passing: Passing | None = None,
) -> None:
    """The network must give the module's own spikes and output on a sample; else the lowering is
    wrong and nothing is handed out. model: in float64 and eval mode. steps: of the sample, and as
    many more as neurons answer late. passing: the module's pass, if it has begun."""
    (name, *others) = network.inputs
    if others:
        raise UnsupportedNode(f"forward takes {1 + len(others)} tensors; one can be lowered")
    port = network.nodes[name]
    assert isinstance(port, Input)
    x = probe_input(port, network.scheduled or steps + late(model), batch)
    program = compile(network)

    def own() -> Recording:
        return interpreter.run(program, {name: x}, ("all",), states=False)

    if passing is not None and np.array_equal(x, passing.x):
        ours, (outputs, theirs) = passing.beside(own)
    else:
        ours, (outputs, theirs) = own(), own_spikes(alike(model), x)
    for layer, spikes in ours.spikes.items():
        if network.original(layer) is None:
            continue  # not the model's: what it does is seen in those who hear it
        wrong = np.count_nonzero(spikes != np.asarray(theirs[layer]))
        if wrong:
            raise NetworkError(
                f"the lowered network differs from the module in {wrong} of {spikes.size} spikes "
                f"of {layer!r} on a sample; please report this as a bug"
            )
    real = network.number_format == "real" and not isinstance(model, GraphNet)
    if real:
        found = side_by_side({n: torch.tensor(v) for n, v in ours.outputs.items()}).numpy()
        apart = np.abs(found - outputs)
        if (apart > 1e-9 * np.maximum(1, np.abs(outputs))).any():
            raise NetworkError(
                f"the lowered network's output is up to {apart.max():.3g} off the module's on a "
                "sample; please report this as a bug"
            )


def late(model: nn.Module) -> int:
    """Steps that the module's neurons answer late."""
    return sum(layer.delay for layer in model.modules() if isinstance(layer, Neuron | LeakyReadout))


def own_spikes(model: nn.Module, x: Array) -> Spikes:
    """What the module itself gives."""
    flat = model.register_forward_hook(lambda m, args, given: side_by_side(named_outputs(given)))
    try:
        return recorded(model, x)
    finally:
        flat.remove()


def alike(model: nn.Module) -> nn.Module:
    """A copy. The network's numbers lie in the module's memory, so the copy is on the same only
    where nothing can change it: not where code of others runs, who get weights of their own, once
    more as many in float64 until the pass is over."""
    if any(foreign(layer) for layer in model.modules()):
        return copy.deepcopy(model)
    shared: dict[int, Any] = {id(t): t for t in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def foreign(layer: nn.Module) -> bool:
    """Whether a layer, by itself, runs code that is neither torch's nor ours."""
    homes = type(layer).__module__, getattr(layer.forward, "__module__", None) or ""
    known = "torch", __name__.split(".")[0]
    hooks: list[Any] = [layer._forward_hooks, layer._forward_pre_hooks]
    return any(home.split(".")[0] not in known for home in homes) or any(hooks)


def named_outputs(given: Any) -> dict[str, Any]:
    """What forward returns, by the names of the Outputs; empty if it is nothing of the kind."""
    if isinstance(given, fx.Node | torch.Tensor):
        return {"output": given}
    if isinstance(given, dict):
        return {f"output.{key}": value for key, value in given.items()}
    if isinstance(given, tuple | list):
        return {f"output.{i}": value for i, value in enumerate(given)}
    return {}


def side_by_side(named: dict[str, torch.Tensor]) -> torch.Tensor:
    """Outputs [T, B, *shape] by name -> all of them, [T, B, N]."""
    return torch.cat([named[name].flatten(2) for name in sorted(named)], 2)
