"""What a model is made of: layers, the shapes they give, parameters, and MACs per step.

A MAC is one weight times one value: of a convolution (kernel area x input channels / groups) per
output value, of a linear layer its weights, with zeros at padded borders counted as the papers
do. Recurrent weights count too; pools, norms, additions and neurons do not. Parameters are
weights, biases, the affine part of norms and what neurons learn; running moments are not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ..layers import Recurrent
from ..norms import BNTT
from ..spiking import Spiking


@dataclass(frozen=True)
class Row:
    """One layer. shape: of what it gives, without time and batch. macs: per sample and step."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int


@dataclass(frozen=True)
class Table:
    """All layers in the order in which they run."""

    rows: tuple[Row, ...]
    parameters: int
    macs: int


def table(model: nn.Module, input_shape: tuple[int, ...]) -> Table:
    """The table of a model for samples [*input_shape]; the model is left as it was.

    Errors of the model on such a sample are passed on.
    """
    rows: list[Row] = []
    leaves = [(n, m) for n, m in model.named_modules() if _is_leaf(m)]
    kept = {k: v.clone() for k, v in model.state_dict().items()}
    was = model.training
    hooks = [m.register_forward_hook(_noting(rows, name)) for name, m in leaves]
    try:
        model.eval()
        with torch.no_grad():
            model(torch.zeros(_steps(model), 1, *input_shape, device=_device(model)))
    finally:
        for hook in hooks:
            hook.remove()
        model.train(was)
        model.load_state_dict(kept)
    total = sum(p.numel() for p in model.parameters())
    return Table(tuple(rows), total, sum(row.macs for row in rows))


def _steps(model: nn.Module) -> int:
    """A number of steps that all layers take: BNTT has moments for just so many."""
    counted = [len(m.running_mean) for m in model.modules() if isinstance(m, BNTT)]
    return counted[0] if counted else 1


def _device(model: nn.Module) -> torch.device:
    """Where it is; shapes and counts of a model on torch's device 'meta' cost nothing."""
    return next(model.parameters()).device


def _is_leaf(module: nn.Module) -> bool:
    """What is one line: a population whole, any other module that has no parts."""
    if isinstance(module, Spiking | Recurrent):
        return True
    return not list(module.children()) or is_parametrized(module)


def _noting(rows: list[Row], name: str) -> Callable[[nn.Module, Any, Tensor], None]:
    """A hook that writes the line of a layer."""

    def hook(module: nn.Module, given: Any, out: Tensor) -> None:
        shape = tuple(out.shape[2:])
        kind = type(module).__name__.removeprefix("Parametrized")
        own = sum(p.numel() for p in module.parameters())
        rows.append(Row(name, kind, shape, own, _macs(module, out[0, 0].numel())))

    return hook


def _macs(module: nn.Module, outputs: int) -> int:
    """Of one sample at one step."""
    if isinstance(module, Recurrent):
        return module.linear.weight.numel()
    if isinstance(module, nn.Linear):
        return module.weight.numel()
    if isinstance(module, nn.Conv2d):
        return outputs * module.weight[0].numel()
    return 0
