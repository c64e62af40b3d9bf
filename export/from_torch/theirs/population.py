"""What a neuron module of another library becomes, and the checks that all of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from ....core.arrays import Array, Shape, frozen
from ....core.errors import UnsupportedNode
from ....core.nodes import Neuron, Node

Compare = Literal[">", ">="]
Made = Callable[[Any, Shape], "Population"]
TINY = 5e-324  # the smallest number above 0


@dataclass(frozen=True)
class Population:
    """before: a map that its input passes first. back: a map through which it hears its own
    spikes of the last step. graded: what a spike counts for others, one number or one a neuron."""

    node: Neuron
    before: Node | None = None
    back: Node | None = None
    graded: Array | None = None


def array(values: Any) -> Array:
    """A number or tensor in float64."""
    if isinstance(values, torch.Tensor):
        return frozen(values.detach().double().cpu().numpy())
    return frozen(values)


def spread(values: Any, shape: Shape, name: str) -> Array:
    """A number for each neuron, stretched as torch stretches it; [] stays."""
    found = array(values)
    if found.size == 1:
        return frozen(found.reshape(()))
    if found.ndim > len(shape):
        raise UnsupportedNode(
            f"has {name} of shape {list(found.shape)} for neurons {list(shape)}: numbers for each "
            "sample or step cannot be lowered"
        )
    try:
        return frozen(np.broadcast_to(found, shape))
    except ValueError:
        raise UnsupportedNode(
            f"has {name} of shape {list(found.shape)}, which does not go with neurons {list(shape)}"
        ) from None


def held_to(fires: Callable[[torch.Tensor], torch.Tensor], compare: Compare) -> None:
    """UnsupportedNode unless a surrogate's forward pass gives 1 above 0 (with '>=' at 0, too),
    and 0 below, as the neurons of its library are built on."""
    probe = torch.tensor([-3.0, -1e-3, -TINY, 0.0, TINY, 1e-3, 3.0], dtype=torch.float64)
    wanted = (probe > 0 if compare == ">" else probe >= 0).double()
    with torch.no_grad():
        found = fires(probe).double()
    if found.shape != wanted.shape or not bool((found == wanted).all()):
        raise UnsupportedNode(
            f"fires with a surrogate that gives {found.tolist()} for v - threshold = "
            f"{probe.tolist()}, not spikes of 0 and 1; switch it to spikes, or train on with one "
            "that fires"
        )


def refuse_unless(true: bool, what: str) -> None:
    """UnsupportedNode that says what it is about."""
    if not true:
        raise UnsupportedNode(what)
