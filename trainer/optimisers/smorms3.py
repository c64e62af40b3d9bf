"""SMORMS3 (S. Funk 2015), as in stork, the code of Zenke & Vogels 2021.

    r = 1 / (m + 1);  a <- (1 - r) a + r g;  b <- (1 - r) b + r g^2;  q = a^2 / (b + eps)
    m <- m (1 - q) + 1;  w <- w - min(q, lr) g / (sqrt(b) + eps)

The new m is of use to the next step. Every weight has a memory m of its own.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

EPS = 1e-16


class SMORMS3(torch.optim.Optimizer):
    """params: as of any optimiser. lr: the largest rate. weight_decay: added to the gradient."""

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, eps: float = EPS, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; the loss of the closure, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for w in group["params"]:
                if w.grad is not None:
                    self._move(w, w.grad.add(w, alpha=group["weight_decay"]), group)
        return loss

    def _move(self, w: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        state = self.state[w]
        if not state:
            state.update(m=torch.ones_like(w), a=torch.zeros_like(w), b=torch.zeros_like(w))
        m, a, b = state["m"], state["a"], state["b"]
        r = 1 / (m + 1)
        a.mul_(1 - r).add_(r * g)
        b.mul_(1 - r).add_(r * g * g)
        q = a * a / (b + group["eps"])
        m.mul_(1 - q).add_(1)
        w.sub_(q.clamp(max=group["lr"]) * g / (b.sqrt() + group["eps"]))
