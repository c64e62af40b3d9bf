"""Populations on a device: the fused kernel where Triton runs, else the step itself."""

import importlib.util
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....core import loihi
from ....core.chip_nodes import ChipNeuron
from ....core.neuron import State, step
from ..layout import spread
from ..neurons import Ran


def engine(device: str, kernel: str) -> str:
    """'triton' or 'eager': what runs populations there. Triton's interpreter runs on a processor,
    which its own variable says."""
    if kernel == "eager" or importlib.util.find_spec("triton") is None:
        return "eager"
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    return "triton" if device.startswith("cuda") or interpreted else "eager"


class DevicePopulation:
    """A population with its registers on the device."""

    def __init__(self, node: ChipNeuron, device: str, kernel: str) -> None:
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
        self.numbers = (
            loihi.ONE - (du + 1),
            loihi.ONE - dv,
            vth << loihi.SHIFT,
            mant << node.bias_exp,
        )

    def rest(self, batch: int) -> list[Tensor]:
        """The state at rest: u, v and steps of refractoriness left, int64 [B, N] each."""
        return [
            torch.zeros(batch, self.size, dtype=torch.int64, device=self.device) for _ in range(3)
        ]

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
            self.extra,
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
