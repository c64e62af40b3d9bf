"""A job: what a compiled loop over blocks is told, as whole numbers in a row of memory.

All threads that run a loop get the same row. Each takes room of its own, then block after block
until none is left, so that one on a busy core does not hold up the others. A block writes its own
part of memory: who does which moves no bit.
"""

import zlib
from pathlib import Path
from typing import Any

import numba.extending
import numpy as np
from numba.core import types

from .threads import SIZE

NEXT, BLOCKS, ROOM, ROOM_SIZE, GIVEN = range(5)  # GIVEN: the first that the loop itself knows

# of what a loop takes in beside its own file, which is all that numba's cache on disk looks at: a
# loop made before an edit here would read a job, or its numbers, from other places
SOURCES = zlib.crc32(
    b"".join(Path(__file__).with_name(n).read_bytes() for n in ("jobs.py", "form.py"))
)
KINDS = np.float32, np.float64  # that a loop computes in: by whether double
ROW: Any = types.CPointer(types.int64)  # type: ignore[no-untyped-call]
JOB = types.void(ROW)  # the signature of a loop


def _pointer(typing: Any, address: Any) -> Any:
    """To anything."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.inttoptr(given[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


def _taken(typing: Any, job: Any, place: Any, step: Any) -> Any:
    """The number at a place of a job, which is `step` more for whoever comes next."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.atomic_rmw("add", builder.gep(given[0], [given[1]]), given[2], "monotonic")

    return types.int64(ROW, types.int64, types.int64), generate


pointer: Any = numba.extending.intrinsic(_pointer)
taken: Any = numba.extending.intrinsic(_taken)


@numba.njit(inline="always")
def told(job: Any, sources: int) -> Any:
    """All its numbers. sources: SOURCES, as a constant of the loop's own, by which it is cached."""
    return numba.carray(job, (SIZE,))  # type: ignore[attr-defined]


@numba.njit(inline="always")
def memory(address: int, shape: Any, kind: Any) -> Any:
    """An array of a kind that is there."""
    return numba.carray(pointer(address), shape, kind)  # type: ignore[attr-defined]
