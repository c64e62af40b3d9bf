"""Neurons whose step is `core.neuron.step` as it stands.

u <- decay_syn u + x          CubaLIF only; else u = x
v <- decay v + u              IF: decay = 1
s <- v > threshold
v <- v_reset where s          reset 'value'      (TET eq. 1-3)
v <- v - threshold s          reset 'subtract'
"""

from typing import Unpack

from .base import Neuron, Options


class IF(Neuron):
    """Integrate and fire: v <- v + x."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__(None, None, **options)


class LIF(Neuron):
    """Leaky integrate and fire: v <- decay v + x."""

    def __init__(self, decay: float = 0.5, **options: Unpack[Options]) -> None:
        super().__init__(decay, None, **options)


class CubaLIF(Neuron):
    """Current-based LIF: u <- decay_syn u + x; v <- decay v + u, with the new u."""

    def __init__(
        self, decay: float = 0.5, decay_syn: float = 0.5, **options: Unpack[Options]
    ) -> None:
        super().__init__(decay, decay_syn, **options)
