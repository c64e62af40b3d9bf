"""A data set that is heard through an encoder."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ..encoders.choice import ENCODERS, Encoder, Limits, dct_values
from ..encoders.dct import ZIGZAG, thresholds
from .dataset import Batch, DataSet, Indices
from .lazy import Lazy

CALIBRATION = 256  # training samples that thresholds are taken from


@dataclass(frozen=True, eq=False)
class Encoded(DataSet):
    """encoder: its settings; seed: of its chance, which follows from (seed, draw, sample), so
    that a sample is encoded alike in whatever batch it stands. limits: kept thresholds."""

    encoder: Any = None
    seed: int = 0
    limits: Limits = None
    draw: int = 0

    @property
    def kind(self) -> Encoder:
        """What it does."""
        return ENCODERS[self.encoder.kind]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded sample at one step."""
        return self.kind.shape(self.x.shape[1:], self.encoder)

    def drawn(self, draw: int) -> DataSet:
        """The same samples with another draw of chance."""
        return replace(self, draw=draw)

    def take(self, indices: Indices, steps: int) -> Batch:
        """(x [T, B, *shape], y [B])."""

        def uniforms(shape: tuple[int, ...]) -> NDArray[np.float64]:
            each = ((self.seed, self.draw, int(i)) for i in indices)
            return np.stack([np.random.default_rng(s).random(shape) for s in each])

        x = self.kind.encode(self.x[indices], steps, self.encoder, uniforms, self.limits)
        return x.astype(np.float32, copy=False), self.y[indices]


def encoded(found: DataSet, encoder: Any, seed: int = 0) -> DataSet:
    """The data set through an encoder; itself with 'direct'. DataError if it has time already,
    or its samples do not suit the encoder."""
    if encoder.kind == "direct":
        return replace(found, seed=seed) if isinstance(found, Lazy) else found
    if isinstance(found, Lazy) and not found.temporal:
        raise DataError(
            f"{found.name} is read sample by sample, which data.encoder={encoder.kind} cannot do "
            "yet; take data.encoder=direct"
        )
    if found.temporal:
        raise DataError(
            f"{found.name} has samples in time already; data.encoder={encoder.kind} takes still "
            "ones, so take data.encoder=direct"
        )
    given = {f.name: getattr(found, f.name) for f in fields(DataSet)}
    made = Encoded(**given, encoder=encoder, seed=seed)
    content = made.kind.content
    made = replace(made, content=found.content if content is None else content(encoder))
    made.shape  # noqa: B018 (refuses samples that do not suit)
    if encoder.kind == "dct" and encoder.spikes:
        x = made.x[made.indices("train")[:CALIBRATION]]
        made = replace(made, limits=thresholds(dct_values(x, len(ZIGZAG), encoder)))
    return made
