"""From real numbers to Loihi's integers: what goes on the chip, at which scale."""

from .options import Options
from .quantise import Quantise, Quantised

__all__ = ["Options", "Quantise", "Quantised"]
