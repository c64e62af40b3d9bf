"""The trainer's last layers -> nodes."""

import numpy as np

from ...core import nodes
from ...core.arrays import Shape, frozen
from ...core.errors import UnsupportedNode
from ...core.nodes import Node
from ...trainer.readouts import LeakyReadout, Vote


def leaky(layer: LeakyReadout, shape: Shape) -> tuple[Node, Node]:
    """A leaky integrator, and the delay of its older order of update."""
    if layer.initial:
        raise UnsupportedNode(
            f"starts at {layer.initial}; a deployed neuron starts at 0, so give initial=0"
        )
    membrane = nodes.Neuron(
        shape=shape,
        decay_v=frozen(layer.decay),
        gain_v=frozen(1 - layer.decay),
        decay_u=None if layer.decay_syn is None else frozen(layer.decay_syn),
    )
    return membrane, nodes.Delay(layer.delay)


def vote(layer: Vote, shape: Shape) -> Node:
    """A mean over neighbours as a Linear."""
    classes = shape[0] // layer.votes
    return nodes.Linear(frozen(np.repeat(np.eye(classes), layer.votes, axis=1) / layer.votes))
