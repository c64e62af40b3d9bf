"""Record Lava's bits: python -m tests.golden.make, from the repository root.

Each network is written as NAME.nir in the chip's integers, and NAME.npz holds what went in and
what Lava's own bit-accurate models made of it, stepped: spikes, v and u of every population.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.backends.conformance import make
from spikeport.backends.lava import LavaFixed
from spikeport.core import store
from spikeport.core.chip_nodes import ChipNeuron
from spikeport.core.network import Meaning, Network
from spikeport.core.recording import Recording
from spikeport.verify.prepare import prepare

from ..lava.crowds import driven, drives

HERE = Path(__file__).resolve().parent
CASES = (
    "lif_per_neuron",
    "cuba_biases",
    "subtract_cuba",
    "refractory",
    "conv_rectangular",
    "conv_dilated",
    "sum_pool_padded",
    "analogue_input",
    "identity_skip",
    "one_synapse_loop_cuba",
    "delay",
    "several_ports",
)


def networks() -> dict[str, tuple[Network, Any]]:
    """Name -> an integer network and what goes in."""
    able = LavaFixed().capabilities()
    found = {}
    for name in CASES:
        case = make(name)
        found[name] = prepare(case.network, able, case.inputs).network, dict(case.inputs)
    for name, reach in (("crowd_wrapping", 1 << 17), ("crowd", 900)):
        random = np.random.default_rng(reach)
        network = writable(driven(random, 40, reach, 0))
        found[name] = network, drives(random, 25, 3, 40)
    return found


def writable(network: Network) -> Network:
    """A NIR file holds no current without a synapse before it, and no membrane of some neurons
    alone that never decays."""
    nodes = dict(network.nodes)
    for name in ("a", "b"):
        node = nodes[name]
        assert isinstance(node, ChipNeuron)
        current = None if name == "a" else node.current
        nodes[name] = replace(node, dv=np.maximum(node.dv, 1), current=current)
    return network.changed(nodes=nodes, meaning=Meaning(dt=1e-3))


def recorded(network: Network, inputs: Any) -> Recording:
    """What Lava does."""
    with LavaFixed("stepped").open(network) as session:
        got: Recording = session.run(inputs, ("all",))
    return got


def main() -> None:
    """Write all of them."""
    for name, (network, inputs) in networks().items():
        store.write(network, HERE / f"{name}.nir")
        got = recorded(network, inputs)
        arrays: dict[str, Any] = {f"input/{n}": x for n, x in inputs.items()}
        for group in ("spikes", "v", "u"):
            arrays |= {f"{group}/{n}": x for n, x in getattr(got, group).items()}
        versions = np.array(str(got.header["versions"]))
        np.savez_compressed(HERE / f"{name}.npz", versions=versions, **arrays)


if __name__ == "__main__":
    main()
