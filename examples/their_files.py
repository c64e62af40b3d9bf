"""A model of Sinabs, Rockpool and Spyx each: trained on real digits in its own library and
environment, exported by its own exporter, imported here, verified on the engines against the
spikes of that very model.

    python examples/their_files.py data runs/theirs
    python -m venv v && v/bin/pip install sinabs==3.1.3 nir==1.0.4   # or 'rockpool[torch]==3.1.0'
    v/bin/python examples/their_files.py train sinabs runs/theirs    # nir nirtorch; spyx==1.0.0 nir
    python examples/their_files.py verify sinabs runs/theirs

`train` needs nothing of ours. It leaves NAME.nir, and NAME.npz: the test samples' spikes and
outputs.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

STEPS, EPOCHS, HIDDEN, BATCH, RATE = 8, 40, 64, 128, 3e-3
SAID = {  # what the exporters drop
    "sinabs": {"spikes": "single", "floor": "none", "reset": "subtract"},
    "rockpool": {"spikes": "single"},
    "spyx": {},
}
ENGINES = ("reference", "norse", "loihi")


def data(folder: Path) -> None:
    """digits.npz: train and test images as [N, 64], with labels."""
    from spikeport.trainer import data as sets

    digits = sets.load("digits")
    found: dict[str, Any] = {}
    for split in ("train", "test"):
        x, y = digits.take(digits.indices(split), 1)
        found |= {f"x_{split}": x.reshape(len(y), 64), f"y_{split}": y}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "digits.npz", **found)


# --- theirs ----------------------------------------------------------------------------------


def with_torch(model: Any, run: Any, parameters: Any, told: Any, rate: float = RATE) -> None:
    """Train; run(model, x [B, T, 64]) -> [B, T, 10]."""
    import torch

    x, y = torch.tensor(told["x_train"], dtype=torch.float32), torch.tensor(told["y_train"])
    optimiser = torch.optim.Adam(parameters, lr=rate)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(x)).split(BATCH):  # type: ignore[no-untyped-call]
            out = run(model, x[part, None].expand(-1, STEPS, -1))
            loss = torch.nn.functional.cross_entropy(out.mean(1), y[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()


def of_sinabs(told: Any, folder: Path) -> dict[str, Any]:
    """Spikes once a step, subtraction, no floor."""
    import nir
    import sinabs.layers as sl
    import torch
    from sinabs.activation import MembraneSubtract, SingleSpike
    from sinabs.nir import to_nir

    class InDouble:
        """SingleSpike answers in float32, which a float64 weight refuses."""

        required_states = ["v_mem"]

        @staticmethod
        def apply(*args: Any) -> Any:
            return SingleSpike.apply(*args).to(args[0].dtype)

    def lif() -> Any:
        return sl.LIF(
            tau_mem=torch.full((HIDDEN,), 4.0),
            spike_threshold=torch.full((HIDDEN,), 0.2),
            spike_fn=InDouble,
            reset_fn=MembraneSubtract(),
        )

    def run(model: Any, x: Any) -> Any:
        for layer in model:
            if hasattr(layer, "reset_states"):
                layer.reset_states()
            x = layer(x)
            if hasattr(layer, "reset_states"):
                heard.append(x)
        return x

    heard: list[Any] = []
    dense = [torch.nn.Linear(a, b) for a, b in ((64, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 10))]
    populations = lif(), lif()
    model = torch.nn.Sequential(dense[0], populations[0], dense[1], populations[1], dense[2])
    with_torch(model, run, [p for layer in dense for p in layer.parameters()], told)
    for layer in populations:
        layer.reset_states()
    nir.write(folder / "sinabs.nir", to_nir(model, torch.zeros(1, 1, 64)))
    return seen(model.double(), run, heard, ("1", "3"), told)


def of_rockpool(told: Any, folder: Path) -> dict[str, Any]:
    """LIFTorch, at most one spike a step; its bias, which the exporter drops, is not trained."""
    import nir
    import torch
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LIFTorch, LinearTorch
    from rockpool.nn.modules.torch.nir import to_nir

    def lif() -> Any:
        return LIFTorch(
            HIDDEN,
            tau_mem=torch.full((HIDDEN,), 4e-3),
            tau_syn=torch.full((HIDDEN, 1), 2e-3),
            threshold=torch.ones(HIDDEN),
            max_spikes_per_dt=1,
        )

    def run(model: Any, x: Any) -> Any:
        model.reset_state()
        model.to(x.dtype)  # its states, too
        for name, layer in model.modules().items():
            x = layer(x)[0].to(x.dtype)
            if "LIF" in name:
                heard.append(x)
        return x

    heard: list[Any] = []
    dense = [LinearTorch(s, has_bias=True) for s in ((64, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 10))]
    model = Sequential(dense[0], lif(), dense[1], lif(), dense[2])
    with_torch(model, run, [p for layer in dense for p in (layer.weight, layer.bias)], told, 0.02)
    names = [name for name in model.modules() if "LIF" in name]
    nir.write(folder / "rockpool.nir", to_nir(model))
    model.double()
    for name in names:  # float32 spikes, which a float64 layer's zeros of w_rec refuse
        layer = model.modules()[name]
        fires = layer.spike_generation_fn
        layer.spike_generation_fn = lambda *args, fires=fires: fires(*args).double()
    return seen(model, run, heard, names, told)


def seen(model: Any, run: Any, heard: list[Any], names: Any, told: Any) -> dict[str, Any]:
    """What the model does with the test samples, in float64: [T, N, ...]."""
    import torch

    heard.clear()
    x = torch.tensor(told["x_test"], dtype=torch.float64)[:, None].expand(-1, STEPS, -1)
    with torch.no_grad():
        out = run(model, x)
    found = {f"spikes/{n}": s.numpy().swapaxes(0, 1) for n, s in zip(names, heard, strict=True)}
    return {**found, "output": out.numpy().swapaxes(0, 1)}


def of_spyx(told: Any, folder: Path) -> dict[str, Any]:
    """LIF, a step at a time."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    import nir
    import optax
    import spyx.nn as snn
    from flax import nnx
    from spyx.nir import to_nir

    rngs = nnx.Rngs(0)
    layers = [
        nnx.Linear(64, HIDDEN, rngs=rngs),
        snn.LIF((HIDDEN,), rngs=rngs),
        nnx.Linear(HIDDEN, HIDDEN, rngs=rngs),
        snn.LIF((HIDDEN,), rngs=rngs),
        nnx.Linear(HIDDEN, 10, rngs=rngs),
    ]
    model = snn.Sequential(*layers)

    def run(layers: Any, x: Any) -> Any:
        states = [
            m.initial_state(len(x)).astype(x.dtype) if hasattr(m, "initial_state") else None
            for m in layers
        ]
        outs: list[Any] = []
        heard: list[list[Any]] = [[], []]
        for _ in range(STEPS + 1):
            h = x
            for i, layer in enumerate(layers):
                if states[i] is None:
                    h = layer(h)
                else:
                    h, states[i] = layer(h, states[i])
                    heard[i // 2].append(h)
            outs.append(h)
        # a spike is handed on a step after it was fired
        return jnp.stack(outs[:STEPS]), [jnp.stack(s[1:]) for s in heard]

    def loss(model: Any, x: Any, y: Any) -> Any:
        out, _ = run(model.layers, x)
        return optax.softmax_cross_entropy_with_integer_labels(out.mean(0), y).mean()

    optimiser = nnx.Optimizer(model, optax.adam(RATE), wrt=nnx.Param)
    step = nnx.jit(nnx.grad(loss))
    x, y = jnp.asarray(told["x_train"], jnp.float32), jnp.asarray(told["y_train"])
    random = np.random.default_rng(0)
    for _ in range(EPOCHS):
        order = random.permutation(len(x))
        for start in range(0, len(x) - BATCH + 1, BATCH):
            part = order[start : start + BATCH]
            optimiser.update(model, step(model, x[part], y[part]))
            for layer in (layers[1], layers[3]):  # which Spyx clips to 0 and 1, and NIR's tau ends
                layer.beta[...] = jnp.clip(layer.beta[...], 0.1, 0.95)
    shapes = {"input": np.array([64])}, {"output": np.array([10])}
    nir.write(folder / "spyx.nir", to_nir(model, *shapes, dt=1))
    out, heard = run(layers, jnp.asarray(told["x_test"], jnp.float64))
    found = {f"spikes/layer_{2 * i + 1}": np.asarray(s) for i, s in enumerate(heard)}
    return {**found, "output": np.asarray(out)}


def train(name: str, folder: Path) -> None:
    """NAME.nir and NAME.npz."""
    told = np.load(folder / "digits.npz")
    made = {"sinabs": of_sinabs, "rockpool": of_rockpool, "spyx": of_spyx}[name]
    np.savez_compressed(folder / f"{name}.npz", **made(told, folder))


# --- ours ------------------------------------------------------------------------------------


def verify(name: str, folder: Path) -> None:
    """Import, and print a line for every engine."""
    import spikeport
    from spikeport.core.errors import SpikeportError
    from spikeport.export import dialects
    from spikeport.verify.trained import TrainedBaseline

    made = dialects.load(folder / f"{name}.nir", name, None, SAID[name])
    for line in made.assumed:
        print(f"assumed: {line}")
    meaning = replace(made.network.meaning, readout="mean_t")
    network = spikeport.run_passes(made.network.changed(meaning=meaning), spikeport.PLAIN).network
    told, theirs = np.load(folder / "digits.npz"), dict(np.load(folder / f"{name}.npz"))
    x = np.broadcast_to(told["x_test"], (STEPS, *told["x_test"].shape))
    calibration = np.broadcast_to(told["x_train"][:64], (STEPS, 64, 64))
    fired = [theirs[key].astype(np.uint8) for key in theirs if key != "output"]
    spikes = dict(zip(network.trained, fired, strict=True))

    def recorded(given: Any) -> Any:
        assert np.array_equal(given, x)
        return theirs["output"], spikes

    baseline = TrainedBaseline(recorded, network.trained, f"{name}'s model (float64)")
    for engine in ENGINES:
        try:
            result = spikeport.verify(
                network,
                [(x, told["y_test"])],
                [spikeport.Request(engine)],
                baseline,
                calibration=lambda: calibration,
            )
        except SpikeportError as error:
            print(f"{name} on {engine}: refused: {error}")
            continue
        for outcome in result.outcomes:
            tally = outcome.run.tally
            print(
                f"{name} on {engine}: {'meets' if result.agrees else 'fails'}, "
                f"{tally.differing} differing spikes, {100 * np.mean(tally.correct):.2f} % correct "
                f"(the model {100 * np.mean(tally.baseline_correct):.2f} %) of {tally.samples}"
            )


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "data":
        data(Path(rest[0]))
    else:
        {"train": train, "verify": verify}[what](rest[0], Path(rest[1]))
