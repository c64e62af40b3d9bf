"""Energy of a run from its own counts, by named models. Data: energy.toml beside this file."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

from .counts import LayerCounts


@dataclass(frozen=True)
class Model:
    """What one operation costs, in picojoules. None: the model does not know that operation."""

    key: str
    title: str
    basis: str
    unit: str
    synaptic_operation: float
    source: str
    scope: str
    mac: float | None = None
    active_update: float | None = None
    inactive_update: float | None = None


@dataclass(frozen=True)
class Estimate:
    """Picojoules a sample, by one model."""

    model: Model
    picojoules: float
    counted: str  # what went in, in words


def models() -> dict[str, Model]:
    """Every model of the data file, by key."""
    text = files(__package__).joinpath("energy.toml").read_text(encoding="utf8")
    return {key: Model(key=key, **told) for key, told in tomllib.loads(text).items()}


def estimates(
    counts: Mapping[str, LayerCounts],
    spikes: int,
    neuron_steps: int,
    samples: int,
    integers: bool,
) -> list[Estimate]:
    """Energy a sample. spikes and neuron_steps: of all populations that the engine ran.
    integers: a quantised network, of which the chip's part gets the chip's model too."""
    known = models()
    return [
        arithmetic(known["float_45nm"], counts, samples),
        *([chip(known["loihi_1"], counts, spikes, neuron_steps, samples)] if integers else []),
    ]


def arithmetic(model: Model, counts: Mapping[str, LayerCounts], samples: int) -> Estimate:
    """Additions for spikes, MACs for the rest; a layer that hears a static input counts once."""
    assert model.mac is not None
    added = sum(c.synaptic_operations for c in counts.values())
    multiplied = sum(c.macs_once for c in counts.values())
    total = added * model.synaptic_operation + multiplied * model.mac
    return Estimate(
        model,
        total / samples,
        f"{added / samples:.0f} synaptic operations, {multiplied / samples:.0f} MACs",
    )


def chip(
    model: Model,
    counts: Mapping[str, LayerCounts],
    spikes: int,
    neuron_steps: int,
    samples: int,
) -> Estimate:
    """Synaptic operations and neuron updates on the chip; an update that spikes is active."""
    assert model.active_update is not None and model.inactive_update is not None
    operations = sum(
        c.synaptic_operations + c.macs for c in counts.values() if not c.host
    )  # graded messages cross synapses too
    total = (
        operations * model.synaptic_operation
        + spikes * model.active_update
        + (neuron_steps - spikes) * model.inactive_update
    )
    return Estimate(
        model,
        total / samples,
        f"{operations / samples:.0f} synaptic operations, {neuron_steps / samples:.0f} neuron "
        f"updates of which {spikes / samples:.0f} active; the host's part is not in it",
    )
