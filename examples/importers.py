"""NIR importers of other libraries, as they are, as subjects of the conformance suite:

    cd examples
    PYTHONPATH=. spikeport conformance --backend importers:norse --backend importers:sinabs \\
        --epsilon 1.2e-7

Each gets the graph, and dt if it asks for it, and runs from rest. An exception is a refusal; what
runs and gives other spikes is WRONG, with the first step. Compare with the engines of the same
names, which put right what the importers lose.
"""

from typing import Any

import nir
import numpy as np
import torch

Tensor = torch.Tensor


def signal_of(x: Any) -> Tensor:
    """The only input [T, B, *shape]."""
    if isinstance(x, dict):
        raise NotImplementedError(f"{len(x)} Inputs; these importers' modules take one")
    return torch.from_numpy(np.array(x, dtype=np.float32))


def stepped(module: Any, x: Tensor) -> Any:
    """A module (x, state) -> (y, state), over time."""
    state, said = None, []
    with torch.no_grad():
        for now in x:
            out, state = module(now, state)
            said.append(out)
    return torch.stack(said).numpy()


def norse(graph: nir.NIRGraph, x: Any, dt: float) -> Any:
    """norse.torch.from_nir."""
    import norse.torch

    signal = signal_of(x)
    return stepped(norse.torch.from_nir(graph, dt=dt), signal)


def sinabs(graph: nir.NIRGraph, x: Any) -> Any:
    """sinabs.from_nir, whose layers fold time into the batch."""
    from sinabs.nir import from_nir

    signal = signal_of(x)
    steps, batch = signal.shape[:2]
    module = from_nir(graph, batch_size=batch, num_timesteps=steps)
    with torch.no_grad():
        found = module(signal.transpose(0, 1).flatten(0, 1))
    out = found[0] if isinstance(found, tuple) else found
    return out.reshape(batch, steps, *out.shape[1:]).transpose(0, 1).numpy()
