"""Lava's recorded bits, where Lava itself cannot be installed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.backends.loihi.engine import KERNELS, Loihi
from spikeport.core import interpreter, store
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile

HERE = Path(__file__).resolve().parent
NAMES = sorted(path.stem for path in HERE.glob("*.nir"))


def test_there_are_runs() -> None:
    assert len(NAMES) == 14


@pytest.mark.parametrize("name", NAMES)
def test_golden_run(name: str) -> None:
    """The definition and both kernels give Lava's spikes, v and u, bit for bit."""
    network = store.read(HERE / f"{name}.nir")
    with np.load(HERE / f"{name}.npz") as kept:
        inputs = {k.removeprefix("input/"): kept[k] for k in kept if k.startswith("input/")}
        wanted = {k: kept[k] for k in kept if k.partition("/")[0] in ("spikes", "v", "u")}
    assert any(x.any() for k, x in wanted.items() if k.startswith("spikes"))
    hold(wanted, interpreter.run(compile(network), inputs, ("all",)))
    for kernel in KERNELS:
        with Loihi(kernel).open(network) as session:
            hold(wanted, session.run(inputs, ("all",)))


def hold(wanted: dict[str, Any], got: Recording) -> None:
    for key, values in wanted.items():
        group, _, name = key.partition("/")
        here = getattr(got, group)[name]
        assert here.dtype == values.dtype and (here == values).all(), key
