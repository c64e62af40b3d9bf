"""Recordings speak of the network that was given, not of what an engine's passes made of it."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from ..core.arrays import Numbers
from ..core.network import Network
from ..core.nodes import Neuron, Node
from ..core.recording import Recording


def as_original(
    recording: Recording, lowered: Network, given: Network, header: Mapping[str, Any]
) -> Recording:
    """The recording under the given network's names and in its units; a node that a pass added
    keeps its own name. header: what else there is to say of the run."""

    def named(group: Mapping[str, Numbers]) -> dict[str, Numbers]:
        names = {name: lowered.original(name) or name for name in group}
        return {
            names[n]: in_given_shape(values, given.nodes.get(names[n]))
            for n, values in group.items()
        }

    currents = {
        name: in_given_units(values, given.nodes.get(name), lowered.nodes.get(name))
        for name, values in recording.u.items()
    }
    return replace(
        recording,
        outputs=named(recording.outputs),
        spikes=named(recording.spikes),
        v=named(recording.v),
        u=named(currents),
        header={**recording.header, **header},
    )


def in_given_shape(values: Numbers, given: Node | None) -> Numbers:
    """[T, B, *shape] of a node that a pass made flat."""
    shape = getattr(given, "shape", values.shape[2:])
    same = values[:1, :1].size == prod(shape)
    return values.reshape(*values.shape[:2], *shape) if same else values


def in_given_units(u: Numbers, given: object, lowered: object) -> Numbers:
    """A synaptic current before its gain was folded into the weights: gain * u is the same."""
    if not (isinstance(given, Neuron) and isinstance(lowered, Neuron)):
        return u
    if (given.gain_v == lowered.gain_v).all() or not (given.gain_v != 0).all():
        return u
    scaled: Numbers = u * (lowered.gain_v / given.gain_v)
    return scaled
