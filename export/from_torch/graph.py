"""A fine-tuned graph -> Network: what was trained is what is written."""

from dataclasses import replace

from ...core.errors import QuantisationError
from ...core.network import Network
from ...trainer.checkpoint import trained_digest
from ...trainer.graph import GraphNet
from ..passes.base import run_passes
from ..passes.lower_pooling import MergePools
from ..quantise.again import at_scales

TRAINED = "trained_in_integers"


def of_graph(net: GraphNet, dt: float | None = None, steps: int | None = None) -> Network:
    """The network of a graph: in real numbers as it is; in the chip's integers with its pools
    merged into the weights that read them, as a quantised network is. dt, steps: None: those of
    the network that training started from."""
    real = net.network()
    meaning = replace(
        real.meaning,
        dt=real.meaning.dt if dt is None else dt,
        steps=real.meaning.steps if steps is None else steps,
        trained_digest=trained_digest(net),
    )
    real = real.changed(meaning=meaning)
    if net.start.chip is None:
        return real
    merged = run_passes(real, (MergePools(),)).network
    made = at_scales(merged, net.start.chip)
    if made.number_format != "loihi":
        raise QuantisationError("no node of this network runs on the chip")
    return made.changed(history=(*made.history, TRAINED))
