"""AdaBelief (Zhuang et al. 2020): Adam whose second moment is that of g - m.

    m <- b1 m + (1 - b1) g;   s <- b2 s + (1 - b2) (g - m)^2 + eps
    w <- w - lr m' / (sqrt(s') + eps)            m', s' without their bias towards 0

The library's defaults changed: up to 0.0.5 eps is 1e-8 and decay is added to the gradient; from
0.1 on eps is 1e-16, decay shrinks the weights by lr decay, and the step is rectified as in RAdam
(Liu et al. 2020), which is plain momentum while the variance has fewer than 5 degrees of freedom.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

LEAST = 5.0  # degrees of freedom of a rectified step


class AdaBelief(torch.optim.Optimizer):
    """The defaults are those of the library since 0.1."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-16,
        weight_decay: float = 0.0,
        decoupled: bool = True,
        rectify: bool = True,
    ) -> None:
        about = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**about, "decoupled": decoupled, "rectify": rectify})

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
                    self._move(w, w.grad, group)
        return loss

    def _move(self, w: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        decay, lr = group["weight_decay"], group["lr"]
        if group["decoupled"]:
            w.mul_(1 - lr * decay)
        else:
            g = g.add(w, alpha=decay)
        state = self.state[w]
        if not state:
            state.update(step=0, m=torch.zeros_like(w), s=torch.zeros_like(w))
        state["step"] += 1
        b1, b2 = group["betas"]
        m, s = state["m"], state["s"]
        m.lerp_(g, 1 - b1)
        s.mul_(b2).addcmul_(g - m, g - m, value=1 - b2).add_(group["eps"])
        first, second = 1 - b1 ** state["step"], 1 - b2 ** state["step"]
        if not group["rectify"]:
            w.addcdiv_(m, (s.sqrt() / math.sqrt(second)).add_(group["eps"]), value=-lr / first)
        elif (size := rectified(b2, state["step"])) is not None:
            w.addcdiv_(m, s.sqrt().add_(group["eps"]), value=-lr * size / first)
        else:
            w.add_(m, alpha=-lr / first)


def rectified(b2: float, step: int) -> float | None:
    """RAdam's factor with the second moment's bias in it; None: too few degrees of freedom."""
    left = 1 - b2**step
    most = 2 / (1 - b2) - 1
    now = most - 2 * step * b2**step / left
    if now < LEAST:
        return None
    return math.sqrt(left * (now - 4) / (most - 4) * (now - 2) / now * most / (most - 2))
