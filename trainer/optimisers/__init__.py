"""Optimisers that torch does not have."""

from .adabelief import AdaBelief
from .smorms3 import SMORMS3

__all__ = ["SMORMS3", "AdaBelief"]
