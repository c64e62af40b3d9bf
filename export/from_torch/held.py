"""Holds a network to the module that it was lowered from: every spike, and the outputs."""

from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ...core import interpreter
from ...core.errors import NetworkError, UnsupportedNode
from ...core.network import Network
from ...core.nodes import Input
from ...core.schedule import compile
from ...trainer.evaluate import recorded
from ...trainer.graph import GraphNet
from ...trainer.neurons import Neuron
from ...trainer.readouts import LeakyReadout
from ..passes.base import probe_input

CHECK_STEPS = 2


def held_against(
    model: nn.Module, network: Network, steps: int = CHECK_STEPS, batch: int = 1
) -> None:
    """The network must give the module's own spikes and output on a sample; else the lowering is
    wrong and nothing is handed out. model: in float64 and eval mode. steps: of the sample, and as
    many more as neurons answer late."""
    (name, *others) = network.inputs
    if others:
        raise UnsupportedNode(f"forward takes {1 + len(others)} tensors; one can be lowered")
    port = network.nodes[name]
    assert isinstance(port, Input)
    late = sum(layer.delay for layer in model.modules() if isinstance(layer, Neuron | LeakyReadout))
    x = probe_input(port, network.scheduled or steps + late, batch)
    ours = interpreter.run(compile(network), {name: x}, ("all",))
    flat = model.register_forward_hook(lambda m, args, given: side_by_side(named_outputs(given)))
    try:
        outputs, theirs = recorded(model, x)
    finally:
        flat.remove()
    for layer, spikes in ours.spikes.items():
        if network.original(layer) is None:
            continue  # not the model's: what it does is seen in those who hear it
        wrong = int((spikes != np.asarray(theirs[layer])).sum())
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
