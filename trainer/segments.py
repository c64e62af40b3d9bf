"""Gradient checkpointing over time: T steps in segments, of which only the states between are kept.

The backward pass computes each segment once more. What a layer carries from one step to the next
goes through `memory` and `keep`, so that a segment starts where the last one ended; outside of
segments these do nothing. Neurons run step by step then, not in their fused kernels.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..core.errors import ConfigError
from ..core.settings import TrainConfig

Memory = dict[nn.Module, Any]  # layer -> what it carries on
_current: "tuple[Memory, Memory] | None" = None  # before this segment, and after it


def running() -> bool:
    """Whether a segment is being run."""
    return _current is not None


def memory(layer: nn.Module) -> Any:
    """What the layer kept at the end of the last segment; None at the start, and outside."""
    return _current[0].get(layer) if _current else None


def keep(layer: nn.Module, carried: Any) -> None:
    """What the layer carries to the next segment."""
    if _current:
        _current[1][layer] = _compact(carried)


def _compact(carried: Any) -> Any:
    """Without the memory of the whole segment, where a tensor is a view of it."""
    if isinstance(carried, tuple):  # a State stays one
        parts = [_compact(part) for part in carried]
        return type(carried)(*parts) if hasattr(carried, "_fields") else tuple(parts)
    if isinstance(carried, list):
        return [_compact(part) for part in carried]
    if isinstance(carried, Tensor) and carried.untyped_storage().nbytes() > carried.nbytes:
        return carried.clone()
    return carried


class Segmented(nn.Module):
    """A net whose forward pass keeps the states between segments of `steps` steps, no more."""

    def __init__(self, net: nn.Module, steps: int) -> None:
        super().__init__()
        self.net = net
        self.steps = steps

    def forward(self, x: Tensor) -> Tensor:
        """As the net: x [T, B, *shape] -> [T, B, *shape']."""
        carried: Memory = {}
        out = []
        for start in range(0, len(x), self.steps):
            part = x[start : start + self.steps]
            # random draws are the same in the second pass
            ran = checkpoint(_segment, self.net, part, carried, use_reentrant=False)
            outputs, carried = ran
            out.append(outputs)
        return torch.cat(out)


def _segment(net: nn.Module, x: Tensor, before: Memory) -> tuple[Tensor, Memory]:
    """The net over one segment, and what its layers carry on."""
    after: Memory = {}
    with _in_segment(before, after):
        return net(x), after


@contextmanager
def _in_segment(before: Memory, after: Memory) -> Iterator[None]:
    global _current
    outside, _current = _current, (before, after)
    try:
        yield
    finally:
        _current = outside


def segmented(net: nn.Module, config: TrainConfig) -> nn.Module:
    """The net as training runs it. ConfigError names what cannot be run in segments."""
    from .regularisers import listens

    steps = config.run.checkpoint_steps
    if not steps:
        return net
    for name, layer in net.named_modules():
        if why := not_in_segments(layer):
            raise ConfigError(f"run.checkpoint_steps is {steps}, but layer {name!r} {why}")
    if key := listens(config.train.regularisers):
        raise ConfigError(
            f"run.checkpoint_steps is {steps}, but train.regularisers.{key} takes the spikes "
            "of all steps, which are not kept; set one of the two to 0"
        )
    return Segmented(net, steps)


def not_in_segments(layer: nn.Module) -> str:
    """Why a layer cannot be run segment by segment; '' if it can."""
    from .graph import GraphNet
    from .surrogate_memory import SinceSpike

    if isinstance(layer, GraphNet):
        return "is a lowered graph; fine-tune it with run.checkpoint_steps=0"
    if isinstance(getattr(layer, "surrogate", None), SinceSpike):
        return "has surrogate 'stdb', which remembers spikes on its own; choose another one"
    if any(name.startswith("running") for name, _ in layer.named_buffers(recurse=False)):
        return (
            f"({type(layer).__name__}) takes moments over all steps of a batch; "
            "model.norm=none, wn and neunorm take none"
        )
    return ""
