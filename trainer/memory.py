"""Memory that a step of training frees is kept for the next one.

Every step allocates the same large tensors. glibc asks the system for those and gives them back
each time, and the system clears every page again: half of a step where tensors are large.
"""

import ctypes
import os
import sys
from functools import cache

TRIM_THRESHOLD, MMAP_MAX = -1, -4  # of <malloc.h>
NEVER, NONE = -1, 0
TOLD = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_")


@cache
def keep_freed() -> bool:
    """Tell glibc, for the rest of the process, since it does not say what it was told before.
    False where it is not there, or a variable has told it something else."""
    if sys.platform != "linux" or any(name in os.environ for name in TOLD):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    return bool(libc.mallopt(TRIM_THRESHOLD, NEVER) and libc.mallopt(MMAP_MAX, NONE))
