"""The files that are mutated: ours in real numbers and in integers, foreign ones, lava-dl's."""

import shutil
from pathlib import Path
from typing import Any

import nir
import numpy as np

from spikeport.backends.conformance import make
from spikeport.core import store

HERE = Path(__file__).resolve().parents[1]
OURS = (
    "conv_groups", "cuba_biases", "sum_pool_padded", "lif_per_neuron", "skip_over_two",
    "several_ports", "conv1d", "delay_per_neuron", "refractory", "subtract_cuba",
)  # fmt: skip
GOLDEN = ("crowd_wrapping", "one_synapse_loop_cuba", "sum_pool_padded", "delay")
LAVADL = ("recurrent", "dense_delays", "conv", "analogue")


def bases(folder: Path) -> list[Path]:
    """All of them, written into the folder. A name says how a file is read: foreign_*.nir with
    what the file cannot say, *.net with the seconds of a step."""
    for name in OURS:
        store.write(make(name).network, folder / f"ours_{name}.nir")
    for name in GOLDEN:
        shutil.copy(HERE / "golden" / f"{name}.nir", folder / f"chip_{name}.nir")
    for name in LAVADL:
        shutil.copy(HERE / "data" / "lavadl" / f"{name}.net", folder / f"lavadl_{name}.net")
    for name, graph in foreign().items():
        nir.write(folder / f"foreign_{name}.nir", graph)
    return sorted(folder.iterdir())


def foreign() -> dict[str, nir.NIRGraph]:
    """Graphs as other libraries write them: every type of NIR, and graphs within graphs."""
    random = np.random.default_rng(0)

    def each(low: float, high: float) -> Any:
        return random.uniform(low, high, 4)

    tau, r, leak, high = each(0.01, 0.05), each(0.5, 1.5), each(-0.1, 0.1), each(0.5, 1.5)
    flat = {
        "affine": nir.Affine(random.normal(size=(4, 4)), random.normal(size=4)),
        "lif": nir.LIF(tau, r, leak, high, leak),
        "linear": nir.Linear(random.normal(size=(4, 4))),
        "cuba": nir.CubaLIF(tau, tau, r, leak, high, leak, r),
        "scale": nir.Scale(r),
        "if": nir.IF(np.full(4, 1e3), high),
        "delay": nir.Delay(np.array([0, 1e-3, 2e-3, 0])),
        "threshold": nir.Threshold(high),
        "li": nir.LI(tau, r, leak),
        "cubali": nir.CubaLI(tau, tau, r, leak, r),
        "i": nir.I(r),
    }
    maps = {
        "conv": nir.Conv2d((6, 6), random.normal(size=(2, 2, 3, 3)), 1, 1, 1, 1, np.ones(2)),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "avg": nir.AvgPool2d(np.array([2, 2]), np.array([1, 1]), np.array([0, 0])),
        "flatten": nir.Flatten({"input": np.array([2, 2, 2])}, 0, -1),
    }
    inner = chain({"lif": nir.LIF(tau, r, leak, high)}, (4,), (4,), [("lif", "lif")])
    middle = chain({"inner": inner, "linear": flat["linear"]}, (4,), (4,), [("linear", "inner")])
    signal = nir.Conv1d(12, random.normal(size=(2, 1, 3)), 2, 1, 1, 2, np.ones(2))
    return {
        "flat": chain(flat, (4,), (4,)),
        "maps": chain(maps, (2, 6, 6), (8,)),
        "signal": chain({"conv1d": signal}, (2, 12), (2, 6)),
        "nested": chain({"middle": middle, "affine": flat["affine"]}, (4,), (4,)),
    }


def chain(
    nodes: dict[str, Any], takes: tuple[int, ...], gives: tuple[int, ...], more: Any = ()
) -> nir.NIRGraph:
    """Nodes one behind the other between two ports."""
    ends = {"input": nir.Input(np.array(takes)), "output": nir.Output(np.array(gives))}
    names = ["input", *nodes, "output"]
    edges = [*zip(names, names[1:], strict=False), *more]
    return nir.NIRGraph({**ends, **nodes}, edges, type_check=False)
