"""One LIF layer of Spyx, in JAX: forward and backward as one compiled function.

Its neuron fires by the membrane of the step before and subtracts: another one than the others',
of as much work.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from .drawn import drawn

THREADS = int(os.environ.get("OMP_NUM_THREADS", "0"))  # XLA does not look at it


def layer(
    library: str, shape: list[int], device: str
) -> tuple[Callable[[], float], Callable[[], list[float]]]:
    """What times a pass, and what gives the digest of its spikes."""
    if THREADS:
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[:THREADS])
    import jax
    import numpy as np
    from flax import nnx
    from spyx import axn, nn

    assert (library, device) == ("spyx", "cpu"), (library, device)
    neurons = nn.LIF((shape[2],), 0.5, activation=axn.arctan(1), rngs=nnx.Rngs(0))
    x, grad = (jax.device_put(values) for values in drawn(shape))

    def forward_and_back(x: Any, grad: Any) -> Any:
        spikes, back = jax.vjp(lambda x: nn.run(neurons, x)[0], x)
        return spikes, back(grad)

    both = jax.jit(forward_and_back)

    def passed() -> float:
        start = time.perf_counter()
        jax.block_until_ready(both(x, grad))
        return time.perf_counter() - start

    def digest() -> list[float]:
        places = np.asarray(both(x, grad)[0]).reshape(-1).nonzero()[0]
        return [float(len(places)), float(places.sum())]

    return passed, digest
