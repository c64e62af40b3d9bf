"""What a lowered network is held against: the library's own modules, run here step by step."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spikeport.core import interpreter
from spikeport.core.arrays import Array
from spikeport.core.network import Network
from spikeport.core.nodes import Scale
from spikeport.core.schedule import compile
from spikeport.export.from_torch import lower

STEPS, BATCH = 40, 3
Run = Callable[[nn.Module, Tensor], None]


@contextmanager
def listening(model: nn.Module, kinds: tuple[Any, ...]) -> Iterator[dict[str, list[Tensor]]]:
    """What each neuron of these classes gives, call by call, while the model runs."""
    told: dict[str, list[Tensor]] = {}
    hooks = []
    for name, layer in model.named_modules():
        if isinstance(layer, kinds):
            calls = told[name] = []

            def note(layer: nn.Module, x: Any, y: Any, calls: list[Tensor] = calls) -> None:
                calls.append((y[0] if isinstance(y, tuple) else y).detach().clone())

            hooks.append(layer.register_forward_hook(note))
    yield told
    for hook in hooks:
        hook.remove()


def agree(
    model: nn.Module,
    shape: tuple[int, ...],
    kinds: tuple[Any, ...],
    run: Run,
    seed: int = 0,
    **how: Any,
) -> Network:
    """Lower the model, run it by `run` with random currents, and compare every spike with ==.
    The lowering must not change the model."""
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = lower(model, shape, **how)
    after = model.state_dict()
    assert all(torch.equal(values, after[name]) for name, values in before.items())
    x = np.random.default_rng(seed).normal(0.4, 1.5, (STEPS, BATCH, *shape))
    ours = interpreter.run(compile(network), {network.inputs[0]: x}, ("all",))
    with listening(model, kinds) as told, torch.no_grad():
        run(model, torch.tensor(x))
    for name, calls in told.items():
        theirs = calls[0] if len(calls) == 1 else torch.stack(calls)
        assert theirs.shape[0] == STEPS and theirs.dtype == torch.float64, (name, theirs.dtype)
        same(network, ours, name, theirs.numpy())
    return network


def same(network: Network, ours: Any, name: str, theirs: Array) -> None:
    """Spikes, and graded ones, with ==."""
    if name not in network.spiking:
        return
    graded = network.nodes.get(f"{name}.graded")
    amount = graded.scale if isinstance(graded, Scale) else 1.0
    wrong = (ours.spikes[name] * amount != theirs).sum()
    assert wrong == 0, f"{name}: {wrong} of {theirs.size}"


def active(network: Network, x_seed: int = 0) -> float:
    """The share of neuron-steps with a spike, so that a test can say that something happened."""
    shape = network.nodes[network.inputs[0]].output_shape(())
    x = np.random.default_rng(x_seed).normal(0.4, 1.5, (STEPS, BATCH, *shape))
    got = interpreter.run(compile(network), {network.inputs[0]: x}, ("all",))
    return float(np.mean([s.mean() for s in got.spikes.values()]))
