"""Populations on a device: the fused kernel where Triton runs, else the step itself."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....core import loihi
from ....core.chip_nodes import ChipNeuron
from ....core.neuron import State, step
from ..bounds import own_current
from ..layout import spread
from ..neurons import FAST_DRIVE, Ran
from .device import engine


class DevicePopulation:
    """A population with its registers on the device. largest: bound of |drive|."""

    def __init__(self, node: ChipNeuron, largest: int, device: str, kernel: str) -> None:
        self.node = node
        self.device = device
        self.engine = engine(device, kernel)
        self.size = int(np.prod(node.shape))

        def laid(n: Any) -> Tensor:
            wide = spread(np.asarray(n, np.int64), node.shape)
            return torch.tensor(wide, device=device)

        self.extra = laid(0 if node.current is None else node.current)
        du, dv, vth, mant = (laid(n) for n in (node.du, node.dv, node.vth, node.bias_mant))
        self.registers = loihi.Registers(
            du, dv, vth, mant, node.bias_exp, node.reset, node.refractory
        )
        self.quick = largest + own_current(node) <= FAST_DRIVE
        kind = torch.int32 if self.quick else torch.int64
        numbers = (self.extra, loihi.ONE - (du + 1), loihi.ONE - dv, vth << loihi.SHIFT)
        self.numbers = [n.to(kind) for n in (*numbers, mant << node.bias_exp)]

    def rest(self, batch: int) -> list[Tensor]:
        """The state at rest: u, v and steps of refractoriness left, [B, N] each. The kernel keeps
        the last only where there are any."""
        fused = self.engine != "eager"
        kind = torch.int32 if fused and self.quick else torch.int64
        few = fused and not self.node.refractory
        sizes = (batch, batch, 1 if few else batch)
        return [torch.zeros(n, self.size, dtype=kind, device=self.device) for n in sizes]

    def run(self, drive: Tensor, steps: int, state: list[Tensor], record: bool) -> Ran:
        """Go on from `state`, which is changed. drive [T or 1, B, N] of whole numbers."""
        if self.engine == "eager":
            return self.eager(drive, steps, state, record)
        from .kernel import BLOCK, population

        drive = drive.contiguous()
        batch = drive.shape[1]
        lanes = batch * self.size
        spikes = torch.empty(steps, batch, self.size, dtype=torch.uint8, device=self.device)
        kept = (steps, batch, self.size) if record else (1, 1, 1)
        us, vs = (torch.empty(kept, dtype=torch.int32, device=self.device) for _ in range(2))
        population[(-(-lanes // BLOCK),)](
            drive,
            *self.numbers,
            *state,
            spikes,
            us,
            vs,
            self.size,
            lanes,
            steps,
            0 if len(drive) == 1 else lanes,
            soft=self.node.reset == "subtract",
            period=self.node.refractory,
            record=record,
            quick=self.quick,
            block=BLOCK,
        )
        return Ran(spikes, us, vs) if record else Ran(spikes)

    def eager(self, drive: Tensor, steps: int, state: list[Tensor], record: bool) -> Ran:
        """The definition: core.neuron.step, step by step."""
        law = loihi.law(self.registers)
        now = State(*state)
        spikes, us, vs = [], [], []
        for t in range(steps):
            heard = drive[0 if len(drive) == 1 else t].long() + self.extra
            fired, now = step(now, heard, law)
            spikes.append(fired.to(torch.uint8))
            if record:
                us.append(now.u.int())
                vs.append(now.v.int())
        for before, after in zip(state, now, strict=True):
            before.copy_(torch.as_tensor(after))
        kept = (torch.stack(values) for values in (us, vs)) if record else ()
        return Ran(torch.stack(spikes), *kept)
