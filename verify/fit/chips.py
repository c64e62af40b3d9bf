"""What a core and a chip hold, and how synapses lie in memory. Data: chips.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np

from ...core.arrays import Numbers
from ...core.errors import ConfigError

CORE = (
    "compartments",
    "synapse_bits",
    "input_axons",
    "output_axons",
    "decay_profiles",
    "thresholds",
)  # what a core has some of, in the order of the tables


@dataclass(frozen=True)
class Limit:
    """The most there may be of something; None: nobody has published it."""

    value: int | None
    source: str

    def over(self, need: int) -> int:
        """By how much a need exceeds it; 0 if it does not, or if it is unknown."""
        return 0 if self.value is None else max(0, need - self.value)


@dataclass(frozen=True)
class Lists:
    """How the synapses that one axon reaches on one core are kept. Where only weights are known
    to be kept (`weights_only`), every count of bits is a lower bound.

    word: bits that a list is filled up to; header: bits before `synapses` synapses; fields: the
    widths that there are. shared_offset, shared_slots: of axons that share lists."""

    source: str
    weights_only: bool
    word: int = 1
    header: int = 0
    synapses: int = 1
    weight_fields: tuple[int, ...] = ()
    index_fields: tuple[int, ...] = ()
    shared_offset: int = 0
    shared_slots: int = 1
    shared_source: str = ""

    def bits(self, counts: Numbers, weight: int, delay: int, neurons: int | None) -> Numbers:
        """Of lists of `counts` synapses each. weight: bits of one; delay: steps; neurons: that
        an index tells apart, or None in a list with a weight for every neuron of the core."""
        counts = np.asarray(counts, np.int64)
        if self.weights_only:
            return counts * weight
        each = field_for(weight, self.weight_fields) + delay.bit_length()
        if neurons is not None:
            each += field_for((neurons - 1).bit_length(), self.index_fields)
        full, rest = np.divmod(counts, self.synapses)
        last = np.where(rest > 0, self.filled(rest * each + self.header), 0)
        return np.asarray(full * self.filled(self.synapses * each + self.header) + last)

    def filled(self, bits: Any) -> Any:
        """Up to whole words."""
        return -(-bits // self.word) * self.word


def field_for(bits: int, fields: tuple[int, ...]) -> int:
    """The smallest field that holds so many bits; the widest where none does, since a core has
    no more neurons than the widest index tells apart."""
    return next((f for f in fields if f >= bits), fields[-1])


@dataclass(frozen=True)
class Chip:
    """One kind of chip. core, chip, synapse: resource -> Limit, of a core, of a chip, of a
    synapse."""

    key: str
    title: str
    core: Mapping[str, Limit]
    chip: Mapping[str, Limit]
    synapse: Mapping[str, Limit]
    lists: Lists
    soft_reset_compartments: int
    delay_slots: int | None
    also: Mapping[str, str] = field(default_factory=dict)  # what further numbers rest on

    @property
    def cores(self) -> int:
        """A chip's cores, which are known of every chip."""
        value = self.chip["cores"].value
        assert value is not None
        return value

    def compartments(self, delay: int) -> int | None:
        """How many a core has where synapses wait so many steps; None if unknown."""
        known = self.core["compartments"].value
        if known is None or self.delay_slots is None or delay + 2 <= self.delay_slots:
            return known
        return known * self.delay_slots // (1 << (delay + 1).bit_length())


def chips() -> dict[str, Chip]:
    """Every chip of the data file, by key."""
    text = files(__package__).joinpath("chips.toml").read_text(encoding="utf8")
    return {key: chip(key, told) for key, told in tomllib.loads(text).items()}


def named(key: str) -> Chip:
    """A chip by its key; ConfigError names those that there are."""
    known = chips()
    if key not in known:
        raise ConfigError(f"no chip {key!r}; there are {', '.join(known)}")
    return known[key]


def chip(key: str, told: Mapping[str, Any]) -> Chip:
    """One table of the data file."""
    neuron, lists = told["neuron"], told["lists"]
    sources = {
        "reset by subtraction": neuron["soft_reset_source"],
        "delays": neuron["delay_source"],
        "synapse lists": lists["source"],
        "shared weights": lists.get("shared_source", lists["source"]),
    }
    return Chip(
        key,
        told["title"],
        limits(told["core"]),
        limits(told["chip"]),
        limits(told["synapse"]),
        formats(lists),
        neuron["soft_reset_compartments"],
        known(neuron["delay_slots"]),
        MappingProxyType(sources),
    )


def formats(told: Mapping[str, Any]) -> Lists:
    """One table of list formats."""
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items()}
    return Lists(**given)


def limits(told: Mapping[str, Any]) -> Mapping[str, Limit]:
    """Name -> Limit."""
    return MappingProxyType({k: Limit(known(v["value"]), v["source"]) for k, v in told.items()})


def known(value: Any) -> int | None:
    """A number; None for 'unknown'."""
    return None if value == "unknown" else int(value)
