"""Norse as an engine: norse.torch.from_nir builds the modules, Norse steps them, in float64.

What from_nir loses is put right at this edge and nowhere else: it rounds every number to
float32, ignores r, v_reset and padding, counts Flatten's axes with the batch, leaks the synaptic
current towards v_leak and starts membranes there, and nirtorch orders the nodes depth-first, so
that a skip connection may hear the previous step. So: parameters are set again in float64 after
the import, the order is ours, and every state starts at zero.
"""

import warnings
from collections.abc import Collection, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

import nir
import norse.torch
import numpy as np
import torch
from nirtorch.graph_executor import GraphExecutorState
from norse.torch.functional.iaf import IAFFeedForwardState
from norse.torch.functional.leaky_integrator_box import LIBoxState
from norse.torch.functional.lif_box import LIFBoxFeedForwardState
from norse.torch.functional.reset import reset_subtract, reset_value

from ..core.arrays import Array, Numbers
from ..core.errors import UnsupportedNode
from ..core.network import Network
from ..core.nodes import Conv, Linear, Neuron
from ..core.recording import Recording, checked_inputs, wanted_nodes
from ..core.schedule import compile
from ..core.store import as_fields, nir_node
from .protocol import Capabilities, Closing, check, header

Tensor = torch.Tensor
DT = 1e-3  # seconds; only dt / tau counts, and both are ours
KINDS = frozenset("Input Output Linear Affine Conv2d SumPool2d Flatten IF LIF CubaLIF".split())


class Norse:
    """Norse 1.1, by way of its own NIR importer."""

    name = "norse"

    def capabilities(self) -> Capabilities:
        """Feed-forward and recurrent nets of what from_nir knows."""
        return Capabilities(
            nodes=KINDS,
            epsilon=float(torch.finfo(torch.float64).eps),
            gain="leak",
            resets={"IF": frozenset({"value"})},
            refractory=False,
            membrane_bias=frozenset({"LIF", "CubaLIF"}),
            groups=False,
            pool_padding=False,
            back_edge_at_t0=frozenset({"nothing"}),
            late_edges="closing",
            several_ports=False,
            agreement="spikes",
        )

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        return {name: version(name) for name in ("norse", "nirtorch", "nir", "torch")}

    def open(self, network: Network) -> "NorseSession":
        """Import the network's NIR graph into Norse."""
        check(network, self.capabilities(), self.name)
        for name in network.spiking:
            node = network.nodes[name]
            if isinstance(node, Neuron) and node.decay_u is not None:
                leaks = bool((node.decay_v < 1).all() and (node.decay_u < 1).all())
                if not leaks:
                    raise UnsupportedNode(
                        f"backend {self.name!r}: node {name!r} (CubaLIF) has a decay of 1, which "
                        "Norse's time constants cannot say"
                    )
        return NorseSession(self, network)


class NorseSession(Closing):
    """A network as Norse modules."""

    def __init__(self, backend: Norse, network: Network) -> None:
        self.network = network
        program = compile(network)
        self.safe = {name: f"n{i}" for i, name in enumerate(program.order)}
        self.module = imported(network, self.safe)
        nodes = {node.name: node for node in self.module.graph.node_list}
        self.module.execution_order = [nodes[self.safe[name]] for name in program.order]
        for name, node in network.nodes.items():
            put_right(getattr(self.module, self.safe[name]), node)
        self.header = header(backend, network, dtype="float64", threads=torch.get_num_threads())

    def run(self, inputs: Mapping[str, Numbers], record: Collection[str] = ()) -> Recording:
        """See protocol.Session."""
        signal = next(iter(checked_inputs(self.network, inputs).values()))
        (out,) = self.network.outputs
        kept = wanted_nodes(self.network, record)
        state = self.at_rest(signal.shape[1])
        outputs, spikes, v, u = [], [[] for _ in kept], [[] for _ in kept], {}  # type: ignore[var-annotated]
        with torch.no_grad():
            for now in signal:
                _, state = self.module(tensor(now), state)
                outputs.append(state.cache[self.safe[out]].numpy())
                for i, name in enumerate(kept):
                    spikes[i].append(state.cache[self.safe[name]].numpy().astype(np.uint8))
                    current, membrane = states(state.state[self.safe[name]])
                    v[i].append(membrane)
                    if current is not None:
                        u.setdefault(name, []).append(current)
        return Recording(
            {out: np.stack(outputs)},
            {name: np.stack(found) for name, found in zip(kept, spikes, strict=True)},
            {name: np.stack(found) for name, found in zip(kept, v, strict=True)},
            {name: np.stack(found) for name, found in u.items()},
            self.header,
        )

    def at_rest(self, batch: int) -> Any:
        """Every membrane and current at zero: Norse would start them at v_leak."""
        rest: dict[str, Any] = {}
        for name in self.network.spiking:
            node = self.network.nodes[name]
            assert isinstance(node, Neuron)
            zero = torch.zeros(batch, *node.shape, dtype=torch.float64)
            if node.kind == "CubaLIF":
                pair = (LIBoxState(v=zero), LIFBoxFeedForwardState(v=zero))
                rest[self.safe[name]] = (pair,)
            elif node.kind == "IF":
                rest[self.safe[name]] = (IAFFeedForwardState(v=zero),)
            else:
                rest[self.safe[name]] = (LIFBoxFeedForwardState(v=zero),)
        return GraphExecutorState(state=rest)


def imported(network: Network, safe: Mapping[str, str]) -> Any:
    """The network through norse.torch.from_nir, its names made safe for modules."""
    nodes = {}
    for name, (kind, fields) in as_fields(network).items():
        if kind == "Flatten":  # Norse counts the batch axis, NIR does not
            last = fields["end_dim"]
            fields = fields | {
                "start_dim": fields["start_dim"] + (fields["start_dim"] >= 0),
                "end_dim": last + (last >= 0),
                "input_type": None,
            }
        owned = {k: np.array(v) if isinstance(v, np.ndarray) else v for k, v in fields.items()}
        nodes[safe[name]] = nir_node(kind, owned)  # torch wants arrays that it may write to
    edges = [(safe[a], safe[b]) for a, b in network.edges]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        graph = nir.NIRGraph(nodes, edges, type_check=False)
        return norse.torch.from_nir(graph, ignore_warnings=True, dt=DT)


def put_right(module: Any, node: Any) -> None:
    """Set the module's numbers again, in float64 and in full."""
    if isinstance(node, Linear | Conv):
        module.weight.data = tensor(node.weight)
        if module.bias is not None:
            bias = np.zeros(len(node.weight)) if node.bias is None else node.bias
            module.bias.data = tensor(bias)
    elif isinstance(node, Neuron):
        if node.kind == "IF":
            module.p = module.p._replace(v_th=threshold(node), v_reset=tensor(node.v_reset))
        elif node.kind == "LIF":
            set_membrane(module, node)
        else:
            assert node.decay_u is not None
            forget, leak = 1 - node.decay_u, 1 - node.decay_v
            module.w_in = tensor(node.gain_u / forget)
            module.r = tensor(node.gain_v / leak)
            module.synapse.p = module.synapse.p._replace(
                tau_mem_inv=tensor(forget / DT), v_leak=torch.zeros((), dtype=torch.float64)
            )
            set_membrane(module.lif, node)


def set_membrane(module: Any, node: Neuron) -> None:
    """The membrane's part of a LIF: leak, leak potential, threshold, reset."""
    leak = 1 - node.decay_v
    amount = tensor(node.amount)
    exactly_threshold = node.reset_amount is None and node.compare == ">"
    module.p = module.p._replace(
        tau_mem_inv=tensor(leak / DT),
        v_leak=tensor(node.bias / leak),
        v_th=threshold(node),
        v_reset=tensor(node.v_reset),
        reset_method=reset_value
        if node.reset == "value"
        else (reset_subtract if exactly_threshold else partial(take_off, amount)),
    )


def take_off(amount: Tensor, z: Tensor, v: Tensor, reset: Tensor, th: Tensor) -> Tensor:
    """A reset method in Norse's own form: subtract something other than the threshold."""
    return v - amount * z


def threshold(node: Neuron) -> Tensor:
    """What Norse's strict comparison needs: the next number below where >= is meant."""
    assert node.threshold is not None
    strict = node.compare == ">"
    return tensor(node.threshold if strict else np.nextafter(node.threshold, -np.inf))


def tensor(values: Array | float) -> Tensor:
    """A float64 tensor of its own."""
    return torch.from_numpy(np.array(values, dtype=np.float64))


def states(found: Any) -> tuple[Numbers | None, Numbers]:
    """(u, v) of what the executor keeps of a module; u None without a synaptic current."""
    (state,) = found
    if isinstance(state, LIFBoxFeedForwardState | IAFFeedForwardState):
        return None, state.v.numpy()
    synapse, membrane = state
    return synapse.v.numpy(), membrane.v.numpy()
