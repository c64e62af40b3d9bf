"""Signals as rows of memory, [T or 1, N], without a copy wherever their layout allows it.

Neurons do not care about their order, so a sample stays in whatever order of axes it has in
memory (channels may come last), and a signal that is held in time stays one row.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...core.errors import TrainingError


def still(x: Tensor) -> bool:
    """Whether x [T, *shape] is one step, held, or one step."""
    return x.shape[0] == 1 or x.stride(0) == 0


def listened(x: Tensor) -> bool:
    """Whether somebody asks for the gradient of x itself."""
    return x.is_leaf or x.retains_grad or bool(x._backward_hooks)


def summed(x: Tensor) -> bool:
    """Whether x is still, and the sum over time is all that can be asked of its gradient: it has
    one step, or nobody listens to that of x itself, which has every step."""
    if not still(x) or not x.requires_grad or x.shape[0] == 1:
        return still(x)
    return not listened(x) and spread(x)


def spread(x: Tensor) -> bool:
    """Whether the sum over time is what torch makes of the gradient of x first of all. A module
    with hooks that stands before that may change it, and has every step."""
    return x.grad_fn is not None and x.grad_fn.name() == "ExpandBackward0"


def straight(x: Tensor, base: Tensor) -> bool:
    """Whether the sum goes to the base, with no view in between that somebody may listen to."""
    if listened(x) or not spread(x):
        return False
    assert x.grad_fn is not None
    to = x.grad_fn.next_functions[0][0]
    return to is not None and (to is base.grad_fn or getattr(to, "variable", None) is base)


def one_step(x: Tensor) -> Tensor:
    """The step [*shape] that x is made of, if it is `summed`. Its gradient should be the step's
    own: the one of x[0] would be zeros of all T steps but one."""
    base = x._base
    if base is None or (x.requires_grad and not straight(x, base)):
        return x[0]
    return base if _read(base) == _read(x[0]) else x[0]


def _read(x: Tensor) -> tuple[Any, ...]:
    """How its memory is read."""
    return x.shape, x.stride(), x.storage_offset(), x.dtype, x.is_neg()


class Signal(NamedTuple):
    """How a signal [T, *sample] lies in memory: sample after sample of `size` values each, without
    gaps. strides: of a sample; None: the usual ones."""

    steps: int
    size: int
    sample: tuple[int, ...]
    strides: tuple[int, ...] | None = None

    @classmethod
    def like(cls, x: Tensor, steps: int) -> "Signal":
        """One with x [T or 1, *sample]'s order of axes in a sample."""
        sample = x.shape[1:]
        return cls(steps, math.prod(sample), sample, strides(x))

    def new(self, like: Tensor, kind: torch.dtype, rows: int | None = None) -> Tensor:
        """Memory for it, or for so many rows of it. Neither a type nor strides are named where
        torch takes the right ones by itself: in a small layer that is quicker."""
        shape = self.steps if rows is None else rows, *self.sample
        if self.strides is not None:
            laid = self.size, *self.strides
            return torch.empty_strided(shape, laid, dtype=kind, device=like.device)
        return like.new_empty(shape) if like.dtype == kind else like.new_empty(shape, dtype=kind)


def strides(x: Tensor) -> tuple[int, ...] | None:
    """Of a step of x [T, *shape] without gaps, in its own order of axes if it has none itself;
    None: the usual ones."""
    if x.is_contiguous():
        return None
    step, room = x[0], 1
    for size, stride in sorted(zip(step.shape, step.stride(), strict=True), key=lambda a: a[1]):
        if size == 1:
            continue
        if stride != room:
            return None
        room *= size
    return None if step.is_contiguous() else step.stride()


def usual(step: Tensor) -> tuple[int, ...]:
    """The strides of its shape in the usual order."""
    return torch.empty(step.shape, device="meta").stride()


def written(x: Tensor) -> Tensor:
    """With its values in memory as they are. torch may put off to negate them until they are read,
    and zeros may have no memory at all; both come up in gradients."""
    return x.clone() if x.is_neg() or x._is_zerotensor() else x


def in_pieces(x: Tensor) -> Tensor:
    """x [T, *shape] of which every step lies in one piece of memory, in the usual order of axes; a
    copy where one does not. The gradient of a sum has no more memory than one number."""
    x = written(x)
    return x if x[0].is_contiguous() else x.contiguous()


def at(*tensors: Tensor | None) -> list[int]:
    """Where the memory of each is; 0 where there is no tensor. TrainingError if one has none."""
    places = [0 if values is None else values.data_ptr() for values in tensors]
    if 0 in places:
        for values, place in zip(tensors, places, strict=True):
            if values is not None and not place:
                raise TrainingError(
                    f"a {type(values).__name__} of shape {list(values.shape)} has no memory that a "
                    "fused kernel could work on; set run.kernels (or SPIKEPORT_KERNELS) to eager"
                )
    return places


def lies(x: Tensor, wanted: Sequence[int]) -> bool:
    """Whether x has these strides, wherever they matter."""
    return all(n < 2 or a == b for n, a, b in zip(x.shape, x.stride(), wanted, strict=True))


def laid_as(signal: Signal, kept: Tensor) -> Tensor:
    """What was kept in a signal's layout, if it still lies so; a copy that does where it does not.
    Hooks for saved tensors hand back equal values, in whatever strides they like."""
    kept = written(kept)
    if signal.strides is None:
        return kept.contiguous()
    if lies(kept, (signal.size, *signal.strides)):
        return kept
    return signal.new(kept, kept.dtype, kept.shape[0]).copy_(kept)


def rows(x: Tensor, laid: Sequence[int] | None) -> Tensor:
    """Rows of memory, T or 1 of them, of x [T, *shape], with a step's strides as they are told
    (None: the usual ones); a copy only where it must be. Of its shape only the first number, how
    many rows there are, may be used: it is x itself, in its own shape, or [T or 1, N]."""
    x = written(x)
    if laid is None and x.is_contiguous():
        return x
    seen = x[:1] if still(x) else x
    size = seen[0].numel()
    wanted = (size, *(usual(seen[0]) if laid is None else laid))
    if not lies(seen, wanted):
        seen = torch.empty_strided(seen.shape, wanted, dtype=x.dtype, device=x.device).copy_(seen)
    return seen.as_strided((seen.shape[0], size), (size, 1))
