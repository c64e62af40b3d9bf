"""Mutant number n: always the same file, made of a base by one to three mutations."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from .in_bytes import BYTES
from .in_hdf5 import CHANGES, FIRST

TRIES = 10


def mutant(number: int, bases: list[Path], folder: Path) -> tuple[Path, str]:
    """The file, and how it was made."""
    random: Any = np.random.default_rng(number)
    base = bases[random.integers(len(bases))]
    path = folder / base.name
    path.write_bytes(base.read_bytes())
    done = [base.name]
    inside = random.random() < 0.7
    if inside:
        done += changed(random, path)
    if not inside or random.random() < 0.1:
        data = bytearray(path.read_bytes())
        for _ in range(int(random.integers(1, 4))):
            mutate = BYTES[random.integers(len(BYTES))]
            if data:
                mutate(random, data)
                done.append(mutate.__name__)
        path.write_bytes(data)
    return path, " + ".join(done)


def changed(random: Any, path: Path) -> list[str]:
    """Changes of what the file says; one that does not apply to this file gives way to another."""
    done: list[str] = []
    wanted = int(random.integers(1, 4))
    with h5py.File(path, "r+") as file:
        todo = [FIRST[random.integers(2)]] if random.random() < 0.5 else []
        todo += [CHANGES[i] for i in random.integers(len(CHANGES), size=wanted + TRIES)]
        for change in todo:
            try:
                change(random, file)
            except Exception:  # h5py has a class for every way in which it cannot be done
                continue
            done.append(change.__name__)
            if len(done) >= wanted:
                break
    return done
