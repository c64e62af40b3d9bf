"""A file of another library, imported, beside what that library itself does."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from spikeport.core import interpreter, store
from spikeport.core.schedule import compile
from spikeport.export.dialects import Imported, load

from ..theirs.held import BATCH, STEPS, Run, listening, same


def agree(
    path: Path,
    model: nn.Module,
    kinds: tuple[Any, ...],
    run: Run,
    dialect: str,
    dt: float | None = None,
    names: dict[str, str] | None = None,
    **said: str,
) -> Imported:
    """Import, write, read again, run, and compare every spike with those of the model, with ==.
    names: population of the model -> node, where they differ."""
    made = load(path, dialect, dt, said)
    ours = path.with_suffix(".ours.nir")
    store.write(made.network, ours)
    network = store.read(ours)
    assert store.digest(network) == store.digest(made.network)
    (entry,) = network.inputs
    shape = network.nodes[entry].output_shape(())
    x = np.random.default_rng(7).normal(0.4, 1.5, (STEPS, BATCH, *shape))
    got = interpreter.run(compile(network), {entry: x}, ("all",))
    model = model.double().eval()
    with listening(model, kinds) as told, torch.no_grad():
        run(model, torch.tensor(x))
    seen = 0
    for name, calls in told.items():
        node = (names or {}).get(name, name)
        theirs = (calls[0] if len(calls) == 1 else torch.stack(calls)).numpy()
        assert node in network.nodes, (node, list(network.nodes))
        same(network, got, node, theirs)
        seen += int(theirs.sum())
    assert seen > 0
    return made
