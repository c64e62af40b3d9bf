"""Arrays that nobody can change, in one canonical form."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Numbers = NDArray[Any]
Shape = tuple[int, ...]


def frozen(values: ArrayLike) -> Array:
    """A read-only float64 array of the values; copies unless it is one already."""
    array: Array = np.asarray(values, dtype=np.float64)
    if array.flags.writeable or not array.flags.c_contiguous:
        array = np.array(array, dtype=np.float64, order="C")
        array.flags.writeable = False
    return array


def sealed(values: Array) -> Array:
    """A float64 array that was just made and that nobody else holds, read-only without a copy."""
    if values.dtype == np.float64:
        values.flags.writeable = False
    return frozen(values)


def collapsed_integers(values: ArrayLike) -> NDArray[np.int64]:
    """A read-only int64 array of the values, which must be whole numbers; shape () if all are
    the same."""
    given = np.asarray(values)
    array = given.astype(np.int64)
    if not np.array_equal(array, given):
        raise ValueError("these values are not whole numbers")
    if array.ndim and array.size and bool((array == array.flat[0]).all()):
        array = np.array(array.flat[0])
    array.flags.writeable = False
    return array


def collapsed(values: ArrayLike) -> Array:
    """The array itself, or shape () if every value is the same: the canonical form of a
    neuron parameter, so that one number written twice is one number."""
    array = frozen(values)
    if array.ndim and array.size and bool((array == array.flat[0]).all()):
        return frozen(array.flat[0])
    return array


def pair(values: Any) -> tuple[int, int]:
    """(y, x) from one whole number or from two."""
    array = np.asarray(values)
    if array.size not in (1, 2) or not np.array_equal(array, np.round(array)):
        raise ValueError(f"expected one or two whole numbers, got {values!r}")
    numbers = [int(v) for v in array.ravel()]
    return numbers[0], numbers[-1]
