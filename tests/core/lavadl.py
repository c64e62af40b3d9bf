"""lava-dl's recorded runs: what netx made of a .net file on Lava, bit for bit."""

from pathlib import Path
from typing import Any

import numpy as np

from spikeport.core import store
from spikeport.core.network import Network
from spikeport.core.nodes import Input
from spikeport.core.recording import Recording

FOLDER = Path(__file__).parents[1] / "data" / "lavadl"
NAMES = sorted(path.stem for path in FOLDER.glob("*.net"))


def network(name: str) -> Network:
    return store.read(FOLDER / f"{name}.net")


def recorded(name: str) -> dict[str, Any]:
    """'x', and 'layerN.u', 'layerN.v', 'layerN.spikes', each [T, B, *shape]."""
    with np.load(FOLDER / f"{name}.npz") as held:
        return dict(held)


def holds(name: str, got: Recording) -> None:
    """Every number of every layer. The current of an input layer's neurons is left out: netx
    charges their membranes past it, and it stays 0."""
    content = {n.content for n in network(name).nodes.values() if isinstance(n, Input)}
    wanted = recorded(name)
    assert any(key.endswith("spikes") and values.any() for key, values in wanted.items())
    for key, values in wanted.items():
        if key == "x" or (key == "layer0.u" and content == {"analogue"}):
            continue
        layer, group = key.split(".")
        ours = getattr(got, group)[layer]
        assert ours.dtype == values.dtype and ours.shape == values.shape, key
        apart = int((ours != values).sum())
        assert not apart, f"{name} {key}: {apart} of {values.size} differ"
