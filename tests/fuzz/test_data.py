"""NIR data that was damaged on its way: a recording, or a DataError, soon, and in little room."""

from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikeport.core import nir_data
from spikeport.core.recording import Recording

from .in_hdf5 import ODD
from .mutants import mutant
from .reader import Reader, complaint

TEXTS = ("", "EventData", "ValuedEventData", "TimeGriddedData", "NIRGraphData", "é" * 2000)


def base(folder: Path) -> Path:
    """A recording of everything that one holds."""
    random = np.random.default_rng(0)
    spikes = {"a": (random.random((30, 3, 4)) < 0.3).astype(np.uint8)}
    states = {"a": random.normal(size=(30, 3, 4))}
    recording = Recording({"out": random.normal(size=(30, 3, 2))}, spikes, states, states)
    nir_data.write(recording, folder / "data_all.nir", 1e-3)
    return folder / "data_all.nir"


def beside(random: Any, path: Path) -> str:
    """Another number or text beside a group, or none."""
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.extend(f"{name}:{key}" for key in item.attrs))
        group, _, key = names[random.integers(len(names))].partition(":")
        del file[group].attrs[key]
        if random.random() < 0.9:
            odd: list[Any] = [*ODD, *TEXTS, np.ones(9), h5py.Empty("f8"), 1 << 40]
            file[group].attrs[key] = odd[random.integers(len(odd))]
        return f"{group}.{key}"


def hold(first: int, count: int, folder: Path) -> Counter[str]:
    """What became of so many mutants."""
    (folder / "mutants").mkdir()
    whole = base(folder)
    ends: Counter[str] = Counter()
    with Reader() as reader:
        assert reader.read(whole)["end"] == "network"
        for number in range(first, first + count):
            random = np.random.default_rng(number)
            if number % 2:
                path, how = folder / "mutants" / whole.name, ""
                path.write_bytes(whole.read_bytes())
                how = beside(random, path)
            else:
                path, how = mutant(number, [whole], folder / "mutants")
            told = reader.read(path)
            ends[told["end"]] += 1
            what = complaint(told)
            assert what is None, f"mutant {number} ({how}): {what}"
    return ends


def test_mutants(tmp_path: Path) -> None:
    ends = hold(0, 100, tmp_path)
    assert ends["refused"] > 60 and ends["network"] > 3, ends


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 4000, 1000))
def test_many_mutants(first: int, tmp_path: Path) -> None:
    hold(first, 1000, tmp_path)
