"""Memory that is freed is kept: the system has to clear no page a second time."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, resource
from spikeport.trainer.memory import keep_freed
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
size, told = 64 << 20, KEEP and keep_freed()
def touch():
    place = libc.malloc(ctypes.c_size_t(size))
    ctypes.memset(place, 1, size)
    libc.free(ctypes.c_void_p(place))
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
before = faults()
for _ in range(4):
    touch()
print(told, faults() - before)
"""


def ran(keep: bool, **variables: str) -> tuple[bool, int]:
    """(whether glibc was told, pages that the system had to give) in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("KEEP", str(keep))],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    told, count = done.stdout.split()
    return told == "True", int(count)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_pages_are_given_once() -> None:
    """Of 4 KiB, or of 2 MiB where the system has those."""
    told, kept = ran(keep=True)
    _, given = ran(keep=False)
    assert told
    assert kept < 10 < 4 * 32 <= given


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_a_variable_wins() -> None:
    assert ran(keep=True, MALLOC_MMAP_MAX_="65536")[0] is False
