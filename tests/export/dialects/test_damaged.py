"""A damaged file gives a network or one of our errors, whatever dialect reads it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikeport.core.errors import SpikeportError
from spikeport.export.dialects import DIALECTS, load

from .test_golden import DATA

ANSWERS = {"reset": "subtract", "spikes": "single", "floor": "none"}
DAMAGE: dict[str, Callable[[Any], Any]] = {
    "missing": lambda old: None,
    "text": lambda old: "abc",
    "one number": lambda old: np.float32(0.5),
    "no number": lambda old: np.zeros(0),
    "too many": lambda old: np.ones((2, 3, 4)),
    "one more": lambda old: np.ones(np.size(old) + 1),
    "zero": lambda old: np.zeros_like(old),
    "negative": lambda old: -np.abs(np.ones_like(old)),
    "nan": lambda old: np.full(np.shape(old), np.nan),
    "infinite": lambda old: np.full(np.shape(old), np.inf),
    "integers": lambda old: np.ones(np.shape(old), np.int64),
}


def fields(path: Path) -> list[str]:
    """Every array of every node."""
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, o: found.append(name) if isinstance(o, h5py.Dataset) else None)
    return [n for n in found if n.startswith("node/nodes") and not n.endswith(("type", "edges"))]


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["sinabs", "rockpool", "spyx-rcuba"])
def test_gives_a_network_or_our_error(name: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "x.nir"
    tried = refused = 0
    which = list(DAMAGE).index(damage) % 5  # a fifth of the arrays each, every one several times
    for field in fields(DATA / f"{name}.nir")[which::5]:
        shutil.copy(DATA / f"{name}.nir", path)
        with h5py.File(path, "a") as file:
            new = DAMAGE[damage](file[field][()])
            del file[field]
            if new is not None:
                file[field] = new
        for dialect in (*DIALECTS, "auto"):
            known = {q.name for q in DIALECTS[dialect].questions} if dialect != "auto" else set()
            said = {k: v for k, v in ANSWERS.items() if k in known}
            tried += 1
            try:
                load(path, dialect, 1e-4, said)
            except SpikeportError as error:
                refused += 1
                assert len(str(error)) < 2000
    assert tried > 10 and refused > 0
