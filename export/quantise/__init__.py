"""From real numbers to Loihi's integers: what goes on the chip, at which scale."""

from .quantise import Quantise

__all__ = ["Quantise"]
