"""LIF that loses its threshold with every spike: BNTT, hybrid training, DIET-SNN.

    test after the update (BNTT):             v <- decay v + x;  s <- v > threshold;
                                              v <- v - threshold s
    test before it (hybrid, DIET-SNN):        s <- v > threshold;
                                              v <- decay v + x - threshold s

The second is the first with threshold / decay taken off, its spikes heard a step later. DIET-SNN
learns leak and threshold of each layer: learn=('decay', 'threshold').
"""

from dataclasses import replace
from typing import Unpack

import torch

from ...core.errors import ConfigError
from ..surrogate_forms import bellec
from .base import Common, Neuron, Numbers


class SoftResetLIF(Neuron):
    """decay: BNTT's leak, 0.95 or 0.99. test_first: which of the two orders."""

    def __init__(
        self, decay: float = 0.95, test_first: bool = False, **options: Unpack[Common]
    ) -> None:
        if test_first and decay == 0:
            raise ConfigError(
                "decay is 0, and a neuron that tests before it updates would forget its reset "
                "with it; give a decay above 0, or test_first=False"
            )
        super().__init__(decay, None, reset="subtract", **options)
        if options.get("surrogate") is None:
            self.surrogate = bellec(options.get("threshold", 1.0))
        self.test_first = test_first
        self.delay = int(test_first)

    def numbers(self, dtype: torch.dtype | None = None) -> Numbers:
        numbers = super().numbers(dtype)
        if not self.test_first:
            return numbers
        return replace(
            numbers, amount=self.needed("threshold", dtype) / self.needed("decay", dtype)
        )
