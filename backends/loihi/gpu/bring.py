"""Spikes to the device as bits: what carries them there is slower than all that follows."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ....core.arrays import Numbers
from ..threads import cores

MUCH = 1 << 20  # bytes; less is carried as it is


def brought(values: Numbers, device: str) -> Tensor:
    """Any array, as it is, on the device."""
    return torch.from_numpy(np.require(values, requirements=("C", "W"))).to(device)


def spikes_brought(spikes: Numbers, device: str) -> Tensor:
    """uint8 [T, B, *shape] of 0 and 1 on the device."""
    each = spikes[0].size if len(spikes) else 0
    if spikes.nbytes < MUCH or each % 8:
        return brought(spikes, device)
    packed = np.empty((len(spikes), each // 8), np.uint8)

    def pack(t: int) -> None:
        packed[t] = np.packbits(spikes[t].reshape(-1), bitorder="little")

    with ThreadPoolExecutor(min(cores(), len(spikes))) as pool:
        list(pool.map(pack, range(len(spikes))))
    there = brought(packed, device)
    places = torch.arange(8, dtype=torch.uint8, device=device)
    return ((there[..., None] >> places) & 1).view(spikes.shape)
