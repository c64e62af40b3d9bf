"""How netx loads weights: the rules of lava-dl 0.6.0 (netx/utils.py, optimize_weight_bits) and
of Lava's Dense, which it hands them to, in whole numbers.

A matrix is shifted left as far as the chip's 8 bits allow, and its sums are shifted back by the
exponent. Lava then finds out the sign mode of each matrix by itself and keeps what is on that
mode's grid, so that a weight can still move: -256 among weights that are all negative is -255.
"""

from dataclasses import dataclass

import numpy as np

from . import loihi
from .errors import QuantisationError
from .loihi import Integers, SignMode

LEAST, MOST = -256, 254  # of weights with both signs


@dataclass(frozen=True)
class Loaded:
    """Matrices as Lava sums with them. exponent: of the sums. moved: weights that are not what
    was given, after the shift."""

    weights: tuple[Integers, ...]
    modes: tuple[SignMode, ...]
    exponent: int
    bits: int
    moved: int


def load(*given: Integers) -> Loaded:
    """Matrices [out, in] that share an exponent; QuantisationError where netx itself fails, or
    gives Lava what it was not made for."""
    whole = np.concatenate([g.ravel() for g in given])
    clips = whole.min() < 0 < whole.max()
    if clips:
        whole = np.clip(whole, LEAST, MOST)
    shift, bits = precision(whole)
    if not 1 <= bits <= 8:
        raise QuantisationError(
            f"weights {int(whole.min())} to {int(whole.max())} would have {bits} bits in netx, "
            + (
                "with which Lava makes all of them 0; scale them by something else"
                if bits < 1
                else "one more than the chip has; with both signs they must be even"
            )
        )
    weights, modes, moved = [], [], 0
    for matrix in given:
        kept = (np.clip(matrix, LEAST, MOST) if clips else matrix) << shift
        mode = sign_mode(kept)
        weights.append(loihi.on_grid(kept, bits, mode))
        modes.append(mode)
        moved += int((weights[-1] != matrix << shift).sum())
    return Loaded(tuple(weights), tuple(modes), -shift, bits, moved)


def precision(weights: Integers) -> tuple[int, int]:
    """(bits to shift left, bits of a weight), as netx finds them; in its own float64."""
    least, most = int(weights.min()), int(weights.max())
    if least == most == 0:
        raise QuantisationError("all weights are 0, which netx cannot load")
    mixed = least < 0 <= most
    with np.errstate(divide="ignore"):
        if mixed:
            scale = min(np.float64(127) / most, np.float64(-128) / least)
        else:
            scale = np.float64(-256) / least if most < 0 else np.float64(255) / most
    shift = int(np.floor(np.log2(scale))) + mixed
    if shift < 0:
        raise QuantisationError(
            f"weights {least} to {most} do not fit into 8 bits, and netx does not clip weights "
            "of one sign"
        )
    even = max(n for n in range(9) if not (weights % (1 << n)).any())
    return shift, 8 - shift - (even - mixed)


def sign_mode(weights: Integers) -> SignMode:
    """As Lava finds it."""
    if weights.min() >= 0:
        return SignMode.EXCITATORY
    return SignMode.INHIBITORY if weights.max() <= 0 else SignMode.MIXED
