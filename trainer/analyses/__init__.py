"""What can be said about a trained model beyond its accuracy. Numbers only; `verify` draws them.

steps       accuracy step by step, and its variance beyond the steps of training
extension   accuracy at more steps than were trained
rates       spikes of every layer, and against accuracy
landscape   the loss around the weights, in filter-normalised directions
audit       claims of a paper, held against its own numbers
"""

from .extension import Extension, extension
from .landscape import Landscape, direction, landscape, sharpness
from .rates import Rates, rates
from .steps import PerStep, correlation, per_step

__all__ = [
    "Extension",
    "Landscape",
    "PerStep",
    "Rates",
    "correlation",
    "direction",
    "extension",
    "landscape",
    "per_step",
    "rates",
    "sharpness",
]
