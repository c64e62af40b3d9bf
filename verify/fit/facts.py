"""A fit as JSON, and its verdict in words."""

from typing import Any

import numpy as np

from .chips import CORE
from .layers import Layer, Projection
from .place import Placed, Unplaced, shares
from .verdict import WORDS, Excess, Fit


def facts(fit: Fit) -> dict[str, Any]:
    """All of it: the verdict, the layers, the cores, the limits with their sources."""
    chip = fit.chip
    limits = {**chip.core, **chip.chip, **chip.synapse}
    return {
        "chip": chip.key,
        "title": chip.title,
        "verdict": "fits" if fit.fits else "does not fit",
        "not_judged": list(fit.unjudged),
        "cores": {
            "needed": fit.cores,
            "all_layers_placed": len(fit.placed) == len(fit.layers),
            "available": chip.cores * fit.chips,
            "chips_needed": fit.chips_needed,
            "chips_available": fit.chips,
        },
        "synapses_in_memory": fit.synapses,
        "synapse_bits_are_a_lower_bound": chip.lists.weights_only,
        "layers": [layer(x) for x in fit.layers],
        "exceeded": [excess(e) for e in fit.exceeded],
        "allocation": allocation(fit),
        "limits": {name: {"value": x.value, "source": x.source} for name, x in limits.items()},
        "sources": dict(chip.also),
    }


def excess(found: Excess) -> dict[str, Any]:
    """A limit that is exceeded."""
    return {
        "layer": found.layer,
        "resource": found.resource,
        "need": found.need,
        "limit": found.limit,
        "over": found.over,
        "what": found.what,
        "help": found.help,
    }


def layer(x: Placed | Unplaced) -> dict[str, Any]:
    """A population: what it is, and, if it is placed, what of each resource its cores use."""
    told = population(x.layer)
    if isinstance(x, Unplaced):
        return told | {"placed": False}
    return told | {
        "placed": True,
        "cores": x.cut.count,
        "neurons_a_core": dict(zip(("channels", "rows", "columns"), x.cut.size, strict=True)),
        "limited_by": x.limiting,
        "resources": {r: used(x, r) for r in CORE},
        "projections": [
            projection(p)
            | {
                "weights": "shared" if shares(p, x.shared) else "own",
                "synapses": int(need.synapses.sum()),
                "weights_in_memory": int(need.kept.sum()),
                "synapse_bits": int(need.bits.sum()),
            }
            for p, need in zip(x.layer.projections, x.each, strict=True)
        ],
    }


def population(found: Layer) -> dict[str, Any]:
    """What there is to place."""
    return {
        "name": found.name,
        "kind": found.kind,
        "shape": list(found.shape),
        "neurons": found.neurons,
        "notes": list(found.notes),
        "projections": [projection(p) for p in found.projections],
    }


def projection(p: Projection) -> dict[str, Any]:
    """What comes in."""
    return {
        "source": p.source,
        "synapse": p.synapse or None,
        "weight_bits": p.weight_bits,
        "delay": p.delay,
    }


def used(x: Placed, resource: str) -> dict[str, Any]:
    """Of one resource: the fullest core's use and share, the mean, the sum."""
    needs = x.needs[resource]
    limit = x.limits[resource]
    return {
        "most": x.most(resource),
        "mean": float(needs.mean()),
        "total": int(needs.sum()),
        "limit": limit,
        "share": None if limit is None else x.most(resource) / limit,
    }


def allocation(fit: Fit) -> list[dict[str, Any]]:
    """Every core: which neurons of which layer it holds, and what that takes. Cores are filled
    in network order."""
    found: list[dict[str, Any]] = []
    for x in fit.placed:
        ranges = [x.cut.ranges(axis) for axis in range(3)]
        for at in np.ndindex(*x.cut.shape):
            number = len(found)
            found.append(
                {
                    "chip": number // fit.chip.cores,
                    "core": number % fit.chip.cores,
                    "layer": x.layer.name,
                    **{
                        name: list(ranges[axis][at[axis]])
                        for axis, name in enumerate(("channels", "rows", "columns"))
                    },
                    **{r: int(x.needs[r][at]) for r in CORE},
                }
            )
    return found


def verdict(fit: Fit) -> str:
    """The verdict in a sentence or two."""
    chip, chips = fit.chip, "1 chip" if fit.chips == 1 else f"{fit.chips} chips"
    missing = ", ".join(WORDS[r] for r in fit.unjudged)
    if not fit.fits:
        said = f"does not fit {chips} of {chip.title}"
    else:
        share = f"{fit.cores:,} of {chip.cores * fit.chips:,} cores"
        said = f"fits {chips} of {chip.title}: {share}"
        if chip.lists.weights_only or missing:
            said = f"exceeds no published limit of {chips} of {chip.title}: {share}"
    if missing:
        said += f". Counted, not judged, for nobody has published their limits: {missing}"
    if chip.lists.weights_only:
        said += ". Synapse memory is a lower bound: how weights are kept is not published"
    return said
