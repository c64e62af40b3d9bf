"""Where a residual branch meets its shortcut: the element-wise functions of SEW ResNets.

Fang et al. 2021, table 1: ADD a + s, AND a * s, IAND (1 - a) * s, with a the branch's spikes and
s the shortcut's. They are modules of their own, so that export knows what was meant.
"""

from torch import Tensor

from .layers import Whole
from .spike_bytes import alike


class Add(Whole):
    """a, s [T, B, *shape] -> a + s: graded where both fire."""

    def forward(self, a: Tensor, s: Tensor) -> Tensor:
        return a + s


class And(Whole):
    """a, s [T, B, *shape] of 0 and 1 -> 1 where both are."""

    def forward(self, a: Tensor, s: Tensor) -> Tensor:
        return alike(a * s, a, s)


class Iand(Whole):
    """a, s [T, B, *shape] of 0 and 1 -> 1 where s is and a is not."""

    def forward(self, a: Tensor, s: Tensor) -> Tensor:
        return alike(alike(1 - a, a) * s, a, s)


JOINS: dict[str, type[Add] | type[And] | type[Iand]] = {"add": Add, "and": And, "iand": Iand}
