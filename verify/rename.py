"""Recordings speak of the network that was given, not of what an engine's passes made of it."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from ..core.arrays import Numbers
from ..core.network import Network
from ..core.nodes import Neuron, Node
from ..core.recording import Recording
from ..export.passes.subtract_by_edge import Parts, parts_of


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
    whole = put_together(replace(recording, u=currents), lowered, given)
    return replace(
        whole,
        outputs=named(whole.outputs),
        spikes=named(whole.spikes),
        v=named(whole.v),
        u=named(whole.u),
        header={**recording.header, **header},
    )


def recorded_for(record: Collection[str], lowered: Network, given: Network) -> tuple[str, ...]:
    """What an engine must record so that as_original can show these populations."""
    parts = taken_apart(lowered, given)
    more = {part for name in record for part in parts.get(name, ()) if part}
    return (*record, *sorted(more))


def taken_apart(lowered: Network, given: Network) -> dict[str, Parts]:
    """The populations whose reset became an edge, with what they are now."""
    found = {name: parts_of(given.nodes.get(name), lowered, name) for name in lowered.nodes}
    return {name: parts for name, parts in found.items() if parts is not None}


def put_together(recording: Recording, lowered: Network, given: Network) -> Recording:
    """The states of populations that were taken apart, as they are after the reset, in place of
    those of their parts. Under the engine's own names: an original one may be that of a part."""
    v, u = dict(recording.v), dict(recording.u)
    for name, parts in taken_apart(lowered, given).items():
        if name not in recording.spikes:
            continue
        node, held = given.nodes[name], lowered.nodes[parts.membrane]
        assert isinstance(node, Neuron)
        v.pop(name, None)  # a Threshold's, which has none
        membrane = v.pop(parts.membrane, None)
        current = v.pop(parts.current, None) if parts.current else None
        if membrane is not None:
            taken = node.amount * in_given_shape(recording.spikes[name], node)
            v[name] = in_given_shape(membrane, node) - taken
        if current is not None:
            u[name] = in_given_units(in_given_shape(current, node), node, held)
    return replace(recording, v=v, u=u)


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
