"""Make the .net files beside this one and record what netx does with them on Lava.

Runs in an environment of its own, never in spikeport's:

    python3.10 -m venv env && env/bin/pip install lava-dl==0.6.0
    env/bin/python make.py

For every network: NAME.net, written by SLAYER's own export_hdf5 (`weights` and `channels` by
h5py, since SLAYER makes none such), and NAME.npz with the input and, for each layer of neurons
by its number in the file, u, v and spikes of every step: layers loaded by netx, run on Lava's
bit-accurate models (Loihi2SimCfg, fixed_pt). Arrays are [T, B, *shape], channels first.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from lava.lib.dl import netx, slayer
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc import io

HERE = Path(__file__).parent
STEPS, SAMPLES = 28, 2
cuba = slayer.block.cuba
MADE: dict[str, Callable[[], Any]] = {}


def made(build: Callable[[], Any]) -> Callable[[], Any]:
    """Register a network under its function's name."""
    MADE[build.__name__] = build
    return build


def neurons(**more: Any) -> dict[str, Any]:
    """SLAYER's neuron parameters."""
    told = {"threshold": 1.0, "current_decay": 0.4, "voltage_decay": 0.1, "shared_param": True}
    return {**told, **more}


def with_bias() -> Any:
    """A mean-only batch norm, which SLAYER exports as a bias."""
    return slayer.neuron.norm.MeanOnlyBatchNorm


class Blocks(torch.nn.Module):
    """Blocks one after the other. shape: of the input, without batch and time."""

    def __init__(self, shape: tuple[int, ...], *blocks: Any) -> None:
        super().__init__()
        self.shape = shape
        self.blocks: list[Any] = list(blocks)
        self.content = "spikes"

    def forward(self, x: Any) -> Any:
        """[N, *shape, T]"""
        for block in self.blocks:
            x = block(x)
        return x

    def export(self, path: Path) -> None:
        """As SLAYER's tutorials do it; a first run finds the shapes."""
        with torch.no_grad():
            self(torch.zeros(1, *self.shape, 2))
            for block in self.blocks:
                norm = getattr(getattr(block, "neuron", None), "norm", None)
                if norm is not None:
                    norm.running_mean = torch.randn(norm.num_features) * 0.3
                if getattr(block, "delay", None) is not None:
                    held = block.delay.delay
                    held.data = torch.randint(0, 9, held.shape).float()
        with h5py.File(path, "w") as file:
            layers = file.create_group("layer")
            for number, block in enumerate(self.blocks):
                block.export_hdf5(layers.create_group(str(number)))


@made
def dense_delays() -> Blocks:
    """Axonal delays, square layers among them, biases, decays of their own for each neuron."""
    return Blocks(
        (7,),
        cuba.Dense(neurons(), 7, 9, weight_scale=3, delay=True),
        cuba.Dense(neurons(norm=with_bias()), 9, 9, weight_scale=3, delay=True),
        cuba.Dense(
            neurons(shared_param=False, current_decay=[0.2, 0.9], voltage_decay=[0.02, 0.5]),
            9,
            6,
            weight_scale=3,
        ),
        cuba.Dense(neurons(voltage_decay=0.0), 6, 5, weight_scale=3),
    )


@made
def conv() -> Blocks:
    """Convolutions of every geometry, biases, flatten, dense."""
    return Blocks(
        (2, 7, 6),
        cuba.Input(None, delay_shift=False),
        cuba.Conv(neurons(norm=with_bias()), 2, 4, 3, padding=1, weight_scale=3),
        cuba.Conv(
            neurons(current_decay=1.0),
            4,
            6,
            (3, 2),
            stride=(1, 2),
            padding=(0, 1),
            dilation=(2, 1),
            groups=2,
            weight_scale=4,
        ),
        cuba.Flatten(),
        cuba.Dense(neurons(), 6 * 3 * 4, 5, weight_scale=3),
    )


@made
def recurrent() -> Blocks:
    """Two recurrent layers and a dense one."""
    return Blocks(
        (6,),
        cuba.Recurrent(neurons(), 6, 8, weight_scale=2),
        cuba.Recurrent(neurons(norm=with_bias(), threshold=1.5), 8, 5, weight_scale=3),
        cuba.Dense(neurons(), 5, 4, weight_scale=3),
    )


@made
def analogue() -> Blocks:
    """Neurons at the input, and at the end a membrane that never spikes."""
    net = Blocks(
        (2, 4, 4),
        cuba.Input(neurons(voltage_decay=0.25, current_decay=1.0), weight=0.5, bias=0.25),
        cuba.Conv(neurons(), 2, 3, 3, weight_scale=3),
        cuba.Flatten(),
        cuba.Affine(neurons(), 12, 3, weight_scale=2),
    )
    net.content = "numbers"
    return net


@made
def integrators() -> Blocks:
    """A last layer without neurons of its own: netx gives it some that keep the sum."""
    net = Blocks((6,), cuba.Dense(neurons(), 6, 7, weight_scale=3))
    net.blocks.append(cuba.Affine(neurons(), 7, 4, weight_scale=2, dynamics=False))
    return net


class ByHand:
    """Layers that SLAYER does not make. layers: fields of each, written as they are."""

    content = "spikes"

    def __init__(self, shape: tuple[int, ...], *layers: dict[str, Any]) -> None:
        self.shape = shape
        self.layers = layers

    def export(self, path: Path) -> None:
        """With the keys of older files of lava-dl's."""
        neuron = {"iDecay": 3000, "vDecay": 500, "vThMant": 150, "refDelay": 1, "wgtExp": 0}
        with h5py.File(path, "w") as file:
            for number, told in enumerate(self.layers):
                layer = file.create_group(f"layer/{number}")
                layer.create_dataset("type", (1,), "S10", [told["type"].encode()])
                if told["type"] != "input":
                    layer["neuron/type"] = "LOIHI"
                    for key, value in {**neuron, **told.get("neuron", {})}.items():
                        layer[f"neuron/{key}"] = value
                for key in sorted(told.keys() - {"type", "neuron"}):
                    layer[key] = told[key]
            file["simulation/Ts"], file["simulation/tSample"] = 1, STEPS


@made
def weights() -> ByHand:
    """Matrices that netx or Lava change: of one sign, odd, too large, in a layer and recurrent."""
    random = np.random.default_rng(5)

    def whole(least: int, most: int, *shape: int) -> Any:
        return random.integers(least, most + 1, shape).astype(np.float32)

    def dense(size: int, weight: Any, **more: Any) -> dict[str, Any]:
        return {"type": "dense", "shape": np.array([size, 1, 1]), "weight": weight, **more}

    negative, zeros, large = whole(-255, -1, 5, 8), whole(-60, 20, 6, 5), whole(-75, 75, 7, 6) * 4
    negative[0, 0] = -256
    zeros = np.minimum(zeros, 0)
    large[0, :2] = 300, -300
    rec = {"type": "dense_rec", "weight_rec": whole(0, 63, 7, 7) * 2}
    return ByHand(
        (6,),
        dense(8, whole(0, 60, 8, 6)),
        dense(5, negative, bias=np.full(5, 190.0)),
        dense(6, zeros, bias=np.full(6, 160.0)),
        dense(7, large) | rec,
        dense(6, whole(-3, 4, 6, 7), bias=np.array([90.0])),
        dense(5, whole(-4, 9, 5 * 6) * 16, delay=np.array([0.0, 1, 5, 2, 0, 3])),
        dense(4, whole(-9, 20, 4, 5) * 8, delay=np.array(3)),
    )


@made
def channels() -> ByHand:
    """Registers of their own for each channel of a map, weights of one sign."""
    random = np.random.default_rng(6)
    each = {
        "iDecay": np.array([4096, 0, 700]),
        "vDecay": np.array([100, 4096, 900]),
        "vThMant": np.array([200, 2500, 300]),
    }
    geometry = {"stride": 2, "padding": 1, "dilation": 1, "groups": 1}
    layer = {
        "type": "conv",
        "shape": np.array([3, 3, 2]),
        "weight": random.integers(0, 90, (3, 1, 3, 3, 1)).astype(np.float32),
        "bias": np.array([0.0, -30.0, 12.0]),
        "neuron": each,
    }
    return ByHand((1, 5, 4), {"type": "input", "shape": np.array([1, 5, 4])}, layer | geometry)


def channels_first(values: Any) -> Any:
    """Lava's [x, y, channels] as [channels, y, x]."""
    return np.asarray(values).transpose() if np.ndim(values) == 3 else np.asarray(values)


def run(path: Path, x: Any, numbers: bool) -> dict[str, Any]:
    """One sample x [T, *shape] through netx on Lava: 'layerN.u' -> [T, *shape]."""
    net = netx.hdf5.Network(str(path))
    with h5py.File(path) as file:
        kinds = [file[f"layer/{i}/type"][0].decode() for i in range(len(file["layer"]))]
        has = [f"layer/{i}/neuron" in file for i in range(len(kinds))]
    own = [i for i, k in enumerate(kinds) if k != "flatten" and (k != "input" or has[i])]
    sinks = []
    for layer in net.layers:
        sinks.append(io.sink.RingBuffer(shape=layer.neuron.s_out.shape, buffer=len(x)))
        layer.neuron.s_out.connect(sinks[-1].a_in)
    data = x.transpose(*range(x.ndim - 1, 0, -1), 0)  # [x, y, channels, T]
    if numbers:
        told = net.in_layer.transform
        drive = told["weight"] * data + told["bias"]
        register = net.in_layer.neuron.bias_mant
        register.init = drive[..., 0].astype(np.int32)
    else:
        source = io.source.RingBuffer(data=data)
        source.s_out.connect(net.inp)
    kept: dict[str, list[Any]] = {}
    try:
        for t in range(len(x)):
            if numbers and t:
                register.set(drive[..., t].astype(np.int32))
            net.run(RunSteps(1), Loihi2SimCfg(select_tag="fixed_pt"))
            for number, layer in zip(own, net.layers, strict=True):
                for name in ("u", "v"):
                    state = channels_first(getattr(layer.neuron, name).get())
                    kept.setdefault(f"layer{number}.{name}", []).append(state)
        for number, sink in zip(own, sinks, strict=True):
            spikes = sink.data.get()
            kept[f"layer{number}.spikes"] = [channels_first(spikes[..., t]) for t in range(len(x))]
    finally:
        net.stop()
    return {name: np.stack(values) for name, values in kept.items()}


def make(name: str) -> None:
    """One network with its recording."""
    torch.manual_seed(len(name))
    random = np.random.default_rng(len(name))
    net, path = MADE[name](), HERE / f"{name}.net"
    net.export(path)
    size = (STEPS, SAMPLES, *net.shape)
    numbers = net.content == "numbers"
    x = random.integers(-1, 3, size) if numbers else (random.random(size) < 0.35).astype(np.uint8)
    runs = [run(path, x[:, sample], numbers) for sample in range(SAMPLES)]
    arrays = {key: np.stack([one[key] for one in runs], 1) for key in runs[0]}
    for key, values in arrays.items():
        kind = np.uint8 if key.endswith("spikes") else np.int32
        assert (values == values.astype(kind)).all(), key
        arrays[key] = values.astype(kind)
        if key.endswith("spikes"):
            print(name, key, f"{values.mean():.3f}")
    held: dict[str, Any] = {"x": x.astype(np.int8), **arrays}
    np.savez_compressed(HERE / f"{name}.npz", **held)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or MADE:
        make(wanted)
