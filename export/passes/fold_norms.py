"""Norms fold into the linear map before them (TET, eq. 6, with eps), or behind them."""

from dataclasses import dataclass

from ...core.errors import PassError
from ...core.network import Network
from ...core.nodes import AvgPool2d, BatchNorm, Flatten, Node, Pool, SumPool2d
from .edit import (
    Weighted,
    only_into,
    readers,
    scaled_inputs,
    scaled_outputs,
    shifted_outputs,
    weighted_sources,
    with_nodes,
    without,
)


@dataclass(frozen=True)
class FoldNorms:
    """Before: W <- W g, b <- beta + (b - mean) g with g = gamma * factor / sqrt(var + eps), in
    float64. The norm comes after the convolution, so zero padding stays exact. Several maps into
    one norm each take the factor; one of them takes the shift.

    Behind: a norm that only scales (PSP-BN: no mean, no beta) goes into the input axis of every
    map that hears it; zero times the scale is zero, so zero padding stays exact too. Pools in
    between keep to a channel, and so does the scale; a maximum only if it is positive.
    """

    name: str = "fold_norms"

    def apply(self, network: Network) -> Network:
        """PassError names a norm that has no linear map of its own to fold into."""
        for name in network.named(BatchNorm):
            network = before(network, name) or behind(network, name)
        return network


def before(network: Network, name: str) -> Network | None:
    """The norm in the maps that it hears; None if it hears anything else."""
    norm = network.nodes[name]
    assert isinstance(norm, BatchNorm)
    sources = weighted_sources(network, name)
    if sources is None:
        return None
    gain = norm.scale()
    changes = {s: scaled_outputs(network.nodes[s], gain) for s in sources}  # type: ignore[arg-type]
    first = sources[0]
    changes[first] = shifted_outputs(changes[first], norm.bias - norm.mean * gain)
    return without(with_nodes(network, changes), name)


def behind(network: Network, name: str) -> Network:
    """The norm in the maps that hear it."""
    norm = network.nodes[name]
    assert isinstance(norm, BatchNorm)
    heard = ", ".join(f"{s} ({network.nodes[s].kind})" for s in network.sources[name]) or "nothing"
    if norm.bias.any() or norm.mean.any():
        raise PassError(
            f"norm {name!r} cannot be folded: it hears {heard}; it must follow a Linear or Conv "
            "whose output goes nowhere else, or have neither mean nor bias and come before one"
        )
    pools = (Pool,) if (norm.scale() > 0).all() else (SumPool2d, AvgPool2d)
    found = readers(network, name, (Flatten, *pools))
    changes: dict[str, Node] = {}
    for reader, way in found or ():
        node = network.nodes[reader]
        alone = only_into(network, way[-1], reader) if way else True
        if isinstance(node, Weighted) and len(network.sources[reader]) == 1 and alone:
            changes[reader] = scaled_inputs(node, norm.scale())
    if not found or len(changes) < len(found):
        speaks = ", ".join(f"{t} ({network.nodes[t].kind})" for t in network.targets[name])
        raise PassError(
            f"norm {name!r} cannot be folded: it hears {heard} and is heard by "
            f"{speaks or 'nothing'}; it must follow a Linear or Conv whose output goes nowhere "
            "else, or come before ones that hear nothing else"
        )
    return without(with_nodes(network, changes), name)
