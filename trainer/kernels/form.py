"""What every engine's kernels are told: the form of a population, and the order of its numbers."""

from enum import IntEnum
from typing import NamedTuple

DECAY_V, DECAY_U, GAIN_U, GAIN_V, BIAS, THRESHOLD, V_RESET, AMOUNT, WIDTH, SCALE = range(10)
NUMBERS = 10
LEARNABLE = (DECAY_V, DECAY_U, GAIN_V, BIAS, THRESHOLD, AMOUNT)
STATE = 3  # of a neuron, forward: v, u, the last spikes
GRADIENTS = 9  # backward: of v and u, of the numbers of LEARNABLE, of the last spikes


class Shape(IntEnum):
    """h(z) of `trainer.surrogate`."""

    TRIANGLE = 0
    RECTANGULAR = 1
    ATAN = 2
    SUPERSPIKE = 3
    SIGMOID = 4
    EXPONENTIAL = 5


class Form(NamedTuple):
    """What the compiler knows. current: u is remembered. subtract: reset by subtraction.
    reached: fires at the threshold too. dead: no reset, but the step after a spike is spent at
    v_reset. fires: else the membrane is the output."""

    current: bool
    subtract: bool
    reached: bool
    dead: bool = False
    fires: bool = True


How = tuple[Form, Shape, bool, tuple[int, ...], bool]  # and detach, learn, to_x: a backward loop
