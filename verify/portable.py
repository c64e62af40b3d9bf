"""What a NIR reader that does not know our metadata would run differently."""

from ..core.chip_nodes import ChipNeuron
from ..core.network import Network
from ..core.nodes import Neuron


def differences(network: Network) -> list[str]:
    """One line for each thing that NIR itself cannot say; empty if there is none."""
    found = []
    if network.meaning.timing == "pipelined":
        found.append("every synapse takes a step; plain readers pass through layers in one step")
    for name, node in network.nodes.items():
        if not isinstance(node, Neuron | ChipNeuron) or not node.spiking:
            continue
        if node.reset == "subtract":
            found.append(f"{name!r} resets by subtraction; plain readers reset it to 0")
        if isinstance(node, Neuron) and node.schedule is not None:
            found.append(f"{name!r} has numbers for every step; plain readers run it without them")
        if node.refractory:
            found.append(f"{name!r} rests {node.refractory} steps after a spike; plain readers not")
        if isinstance(node, Neuron) and node.compare == ">=":
            found.append(f"{name!r} fires at its threshold; plain readers only above it")
    return found
