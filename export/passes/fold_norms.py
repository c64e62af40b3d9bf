"""Batch norms fold into the linear map before them (TET, eq. 6, with eps)."""

from dataclasses import dataclass

from ...core.errors import PassError
from ...core.network import Network
from ...core.nodes import BatchNorm
from .edit import scaled_outputs, shifted_outputs, weighted_sources, with_nodes, without


@dataclass(frozen=True)
class FoldNorms:
    """W <- W g, b <- beta + (b - mean) g with g = gamma * factor / sqrt(var + eps), in float64.

    The norm comes after the convolution, so zero padding stays exact. Several maps into one
    norm each take the factor; one of them takes the shift.
    """

    name: str = "fold_norms"

    def apply(self, network: Network) -> Network:
        """PassError names a norm that has no linear map of its own before it."""
        for name in network.named(BatchNorm):
            norm = network.nodes[name]
            assert isinstance(norm, BatchNorm)
            sources = weighted_sources(network, name)
            if sources is None:
                found = ", ".join(f"{s} ({network.nodes[s].kind})" for s in network.sources[name])
                raise PassError(
                    f"norm {name!r} cannot be folded: it hears {found or 'nothing'}; it must "
                    "follow a Linear or Conv whose output goes nowhere else"
                )
            gain = norm.scale()
            changes = {s: scaled_outputs(network.nodes[s], gain) for s in sources}  # type: ignore[arg-type]
            first = sources[0]
            shift = norm.bias - norm.mean * gain
            changes[first] = shifted_outputs(changes[first], shift)
            network = without(with_nodes(network, changes), name)
        return network
