"""Many runs from one file: a grid of settings, trained side by side, resumable.

plan        the file -> cells, a run each
measures    what is said of a trained cell beside its accuracy
work        one cell: train, measure, write down
run         all cells, in processes of their own
"""

from .plan import Cell, Plan, read
from .run import Result, run

__all__ = ["Cell", "Plan", "Result", "read", "run"]
