"""What a .nir file of ours says beyond NIR: one JSON string under metadata["spikeport"].

Version 1 of the schema; docs/semantics.md explains each key. Unknown keys are refused: a file
that says more than this reader understands must not be run as if it did not.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from .chip_store import ChipMetadata
from .errors import NetworkError

SCHEMA = 1
KEY = "spikeport"
Values = float | list[Any]  # one number for all neurons, or nested lists of the layer's shape


class Section(BaseModel):
    """A part of the schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Decays(Section):
    """The numbers of the step, exact, where NIR's time constants lose a bit."""

    v: Values
    u: Values | None = None
    gain_u: Values = 1.0
    gain_v: Values = 1.0
    bias: Values = 0.0


class Rows(Section):
    """What changes from step to step: [T] or [T, channels] of each."""

    decay_v: list[Any] | None = None
    decay_u: list[Any] | None = None
    threshold: list[Any] | None = None
    bias: list[Any] | None = None


class NodeMetadata(Section):
    """What NIR cannot say of one node."""

    reset: Literal["value", "subtract"] | None = None
    reset_amount: Values | None = None
    compare: Literal[">", ">="] | None = None
    refractory: int = 0
    decays: Decays | None = None
    schedule: Rows | None = None
    origin: str | None = None  # the trained network's name, if it differs
    added: bool = False  # a pass added this node: it has no origin


class Metadata(Section):
    """The whole annotation of a graph."""

    schema_version: Literal[1] = Field(1, alias="schema")
    dt: FiniteFloat | None = None  # seconds
    integrator: Literal["forward_euler", "exponential"] = "forward_euler"
    cuba_current: Literal["new", "old"] = "new"
    if_r: Literal["step", "ode"] | None = None
    spike_amplitude: FiniteFloat = 1.0  # what is read is 1; another one is refused, not guessed
    timing: Literal["aligned", "pipelined"] = "aligned"
    back_edge_at_t0: Literal["bias", "nothing"] = "bias"
    back_edges: list[tuple[str, str]] | None = None
    steps: int | None = Field(None, ge=1)  # time steps of training and verification
    readout: Literal["mean_t", "max_t", "sum_t", "count", "first_spike"] | None = None
    input: dict[str, Literal["analogue", "spikes"]] = {}
    number_format: Literal["real", "loihi"] = "real"
    chip: ChipMetadata | None = None  # of a network in the chip's integers
    history: list[str] = []
    trained_digest: str | None = None
    nodes: dict[str, NodeMetadata] = {}
    digest: str | None = None

    def text(self) -> str:
        """Canonical JSON: sorted keys, no spaces, defaults left out of the nodes."""
        told = self.model_dump(by_alias=True, mode="json")
        if self.chip is None:
            del told["chip"]
        if self.spike_amplitude == 1:
            del told["spike_amplitude"]
        told["nodes"] = {
            name: node.model_dump(mode="json", exclude_defaults=True)
            for name, node in self.nodes.items()
        }
        return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)


def parse(found: Mapping[str, Any], where: str) -> Metadata | None:
    """The annotation in a graph's metadata, None in a foreign file; NetworkError names the key
    that cannot be understood."""
    text = found.get(KEY)
    if text is None:
        return None
    try:
        told = json.loads(text)
        version = told.get("schema") if isinstance(told, dict) else None
        if version != SCHEMA:
            raise NetworkError(
                f"{where}: metadata schema {version!r}; this version reads schema {SCHEMA}"
            )
        return Metadata.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise NetworkError(f"{where}: metadata key {key!r}: {first['msg']}") from None
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, NetworkError):
            raise
        raise NetworkError(f"{where}: metadata['{KEY}'] is not readable JSON: {error}") from None
