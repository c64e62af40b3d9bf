"""Makes the golden files of libraries that cannot be installed beside the others: what each one's
own exporter writes, and the spikes of the model that it exported, in float64.

    python -m venv v && v/bin/pip install sinabs==3.1.3 nir==1.0.4 && v/bin/python make.py sinabs
    python -m venv v && v/bin/pip install 'rockpool[torch]==3.1.0' nir nirtorch && ... rockpool
    python -m venv v && v/bin/pip install spyx==1.0.0 nir && v/bin/python make.py spyx

Writes NAME.nir and NAME.npz beside this file: x [T, B, N], and spikes/LAYER [T, B, N'] of each
population under its node's name. Parameters are what float32 holds, as people train, so that the
file and the model in float64 hold the same numbers.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np

HERE = Path(__file__).parent
STEPS, BATCH, INPUTS, HIDDEN, LAST = 60, 3, 5, 7, 4
random = np.random.default_rng(0)


def values(low: float, high: float, *shape: int) -> Any:
    """Random numbers that float32 holds."""
    return random.uniform(low, high, shape).astype(np.float32)


def signal() -> Any:
    """What the model hears."""
    return random.normal(0.3, 1.5, (STEPS, BATCH, INPUTS))


def kept(name: str, graph: Any, x: Any, spikes: dict[str, Any]) -> None:
    """Write the pair of files."""
    nir.write(HERE / f"{name}.nir", graph)
    told = {f"spikes/{layer}": np.asarray(s).astype(np.uint8) for layer, s in spikes.items()}
    for layer, s in spikes.items():
        assert set(np.unique(s)) == {0, 1}, (name, layer, np.unique(s))
    np.savez_compressed(HERE / f"{name}.npz", x=x, **told)  # type: ignore[arg-type]


def sinabs() -> None:
    """IAF and LIF that fire once a step, subtract, and have no floor; and the same that reset to
    0. [B, T, N] goes through a layer at once."""
    import sinabs.layers as sl
    import torch
    from sinabs.activation import MembraneReset, MembraneSubtract, SingleSpike
    from sinabs.nir import to_nir

    class InDouble:
        """SingleSpike answers in float32, which a float64 weight refuses."""

        required_states = ["v_mem"]

        @staticmethod
        def apply(*args: Any) -> Any:
            return SingleSpike.apply(*args).to(args[0].dtype)

    for name, reset in (("sinabs", MembraneSubtract()), ("sinabs-value", MembraneReset())):

        def lif(size: int, norm: bool = True, reset: Any = reset) -> Any:
            return sl.LIF(
                tau_mem=torch.tensor(values(2, 20, size)),
                spike_threshold=torch.tensor(values(0.3, 0.8, size)),
                spike_fn=InDouble,
                reset_fn=reset,
                norm_input=norm,
            )

        layer: Any
        dense = [torch.nn.Linear(a, b) for a, b in ((INPUTS, HIDDEN), (HIDDEN, 6), (6, LAST))]
        for layer in dense:
            layer.weight.data = torch.tensor(values(-1, 2, *layer.weight.shape))
        iaf = sl.IAF(spike_fn=InDouble, reset_fn=reset, spike_threshold=torch.tensor(1.5))
        model = torch.nn.Sequential(dense[0], lif(HIDDEN), dense[1], iaf, dense[2], lif(LAST))
        graph = to_nir(model, torch.zeros(1, 1, INPUTS))
        model.double()
        for layer in model:
            if hasattr(layer, "reset_states"):
                layer.reset_states()
        x = signal()
        spikes = {}
        h = torch.tensor(x).transpose(0, 1)
        with torch.no_grad():
            for i, layer in enumerate(model):
                h = layer(h)
                if hasattr(layer, "reset_states"):
                    spikes[str(i)] = h.transpose(0, 1).numpy()
        kept(name, graph, x, spikes)


def rockpool() -> None:
    """LIFTorch and LIFNeuronTorch that fire at most once a step; [B, T, N] at once."""
    import torch
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LIFTorch, LinearTorch
    from rockpool.nn.modules.torch.nir import to_nir

    def lif(size: int) -> Any:
        return LIFTorch(
            size,
            tau_mem=torch.tensor(values(4e-3, 3e-2, size)),
            tau_syn=torch.tensor(values(2e-3, 2e-2, size, 1)),
            threshold=torch.tensor(values(0.5, 1.5, size)),
            max_spikes_per_dt=1,
        )

    def dense(inputs: int, size: int) -> Any:
        return LinearTorch(
            (inputs, size),
            weight=torch.tensor(values(-1, 1.5, inputs, size)),
            bias=torch.tensor(values(-0.2, 0.2, size)),
            has_bias=True,
        )

    model = Sequential(dense(INPUTS, HIDDEN), lif(HIDDEN), dense(HIDDEN, LAST), lif(LAST))
    graph = to_nir(model)
    model.reset_state()  # the exporter ran it
    model.double()
    x = signal()
    spikes = {}
    h = torch.tensor(x).transpose(0, 1)
    with torch.no_grad():
        for name, layer in model.modules().items():
            if "LIF" in name:  # its spikes are float32, which its float64 zeros of w_rec refuse
                fires = layer.spike_generation_fn
                layer.spike_generation_fn = lambda *args, fires=fires: fires(*args).double()
            h = layer(h)[0].double()
            if "LIF" in name:
                spikes[name] = h.transpose(0, 1).numpy()
    kept("rockpool", graph, x, spikes)


def spyx() -> None:
    """IF, LIF, CuBaLIF and their recurrent forms, a step of each at a time."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    import spyx.nn as snn
    from flax import nnx
    from spyx.nir import to_nir

    rngs = nnx.Rngs(0)

    def dense(inputs: int, size: int) -> Any:
        made = nnx.Linear(inputs, size, rngs=rngs)
        made.kernel[...] = jnp.asarray(values(-1, 1.5, inputs, size))
        made.bias[...] = jnp.asarray(values(-0.2, 0.2, size))
        return made

    def trained(layer: Any, size: int) -> Any:
        for name in ("alpha", "beta"):
            if hasattr(layer, name):
                getattr(layer, name)[...] = jnp.asarray(values(0.3, 0.95, size))
        if hasattr(layer, "recurrent_w"):
            layer.recurrent_w[...] = jnp.asarray(values(-0.6, 0.6, size, size))
        return layer

    kinds: dict[str, Callable[..., Any]] = {
        "spyx": snn.LIF,
        "spyx-cuba": snn.CuBaLIF,
        "spyx-if": snn.IF,
        "spyx-rif": snn.RIF,
        "spyx-rlif": snn.RLIF,
        "spyx-rcuba": snn.RCuBaLIF,
    }
    for name, kind in kinds.items():
        layers = [dense(INPUTS, HIDDEN), trained(kind((HIDDEN,), rngs=rngs), HIDDEN)]
        layers += [dense(HIDDEN, LAST), trained(snn.LIF((LAST,), rngs=rngs), LAST)]
        model = snn.Sequential(*layers)
        shapes = {"input": np.array([INPUTS])}, {"output": np.array([LAST])}
        graph = to_nir(model, *shapes, dt=1)
        x = signal()
        states: list[Any] = [
            m.initial_state(BATCH) if hasattr(m, "initial_state") else None for m in layers
        ]
        spikes: dict[str, list[Any]] = {"layer_1": [], "layer_3": []}
        for now in x:
            h = jnp.asarray(now)
            for i, layer in enumerate(layers):
                if states[i] is None:
                    h = layer(h)
                else:
                    h, states[i] = layer(h, states[i].astype(jnp.float64))
                    spikes[f"layer_{i}"].append(np.asarray(h))
        kept(name, graph, x, {n: np.stack(s) for n, s in spikes.items()})


if __name__ == "__main__":
    {"sinabs": sinabs, "rockpool": rockpool, "spyx": spyx}[sys.argv[1]]()
