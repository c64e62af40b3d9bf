"""What HDF5's library writes, on a disk with and without room, and under Ctrl-C."""

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikeport.core import hdf5_write
from spikeport.core.files import written_whole
from spikeport.core.hdf5_disk import Disk

random = np.random.default_rng(1)
ARRAYS: dict[str, Any] = {
    "noise": random.normal(size=(3, 70, 90)),
    "one": np.full((40, 500), 0.25),
    "small": np.arange(5),
    "more": random.normal(size=(200, 30)),
}
NODE: dict[str, Any] = {"type": "NIRGraph", **ARRAYS, "within": {"again": ARRAYS["more"][::2]}}


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file may grow past it: the kernel itself refuses."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))  # Python ignores the signal
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("size", [0, 1000, 100_001, 200_000, 10**9])
def test_the_library_finds_all_that_it_wrote(tmp_path: Path, size: int) -> None:
    with room(size), Disk(tmp_path / "a.h5") as disk:
        hdf5_write.written(disk, "1", NODE)
        full = disk.failed is not None
        assert full == (size < 10**9)
        if full:
            assert str(disk.failed) == "[Errno 27] File too large"
        with h5py.File(disk, "r") as file:
            for name, values in ARRAYS.items():
                assert np.array_equal(file["node"][name][()], values), name
            assert np.array_equal(file["node/within/again"][()], ARRAYS["more"][::2])
    assert (tmp_path / "a.h5").stat().st_size <= size


def test_the_bytes_are_those_of_a_file_in_memory(tmp_path: Path) -> None:
    held: Any = BytesIO()
    hdf5_write.written(held, "1", NODE)
    hdf5_write.write(tmp_path / "a.h5", "1", NODE)
    assert (tmp_path / "a.h5").read_bytes() == held.getvalue()


def test_it_is_a_file_like_any_other(tmp_path: Path) -> None:
    with Disk(tmp_path / "a") as disk:
        assert disk.write(b"abcdef") == 6 and disk.tell() == 6
        assert disk.seek(-2, os.SEEK_CUR) == 4 and disk.read(10) == b"ef"
        assert disk.seek(3, os.SEEK_END) == 9 and disk.write(b"x") == 1
        assert disk.seek(5) == 5 and disk.read(10) == b"f\0\0\0x" and disk.read(1) == b""
        assert disk.truncate(2) == 2 and disk.seek(0) == 0 and disk.read(10) == b"ab"
    assert (tmp_path / "a").read_bytes() == b"ab"


class Interrupts(dict[str, Any]):
    """Ctrl-C while its members are written."""

    def items(self) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return super().items()


def test_ctrl_c_leaves_no_file_and_no_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), written_whole(tmp_path / "a.h5") as part:
        hdf5_write.write(part, "1", {**ARRAYS, "within": Interrupts(ARRAYS)})
    assert not list(tmp_path.iterdir()) and threading.active_count() == before


def test_one_ctrl_c_after_the_other(tmp_path: Path) -> None:
    """The library is let come to its end, and what was there stays."""
    code = """
import os, signal, sys, threading, time
from pathlib import Path
import numpy as np
from spikeport.core import hdf5_write
from spikeport.core.files import written_whole

def again():
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.02)

class Interrupts(dict):
    def items(self):
        threading.Thread(target=again).start()
        time.sleep(0.2)
        return super().items()

noise = {str(n): np.random.default_rng(n).normal(size=100_000) for n in range(20)}
with written_whole(sys.argv[1]) as part:
    hdf5_write.write(part, "1", {"within": Interrupts(noise)})
"""
    there = tmp_path / "a.h5"
    there.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", code, str(there)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr.rstrip().endswith("KeyboardInterrupt") and "closed" not in done.stderr
    assert there.read_bytes() == b"old" and list(tmp_path.iterdir()) == [there]
