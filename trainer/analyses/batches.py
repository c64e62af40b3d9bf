"""A split, batch by batch, as a model hears it: what the analyses share."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.errors import ConfigError, DataError, NetworkError
from ..data import DataSet
from ..evaluate import as_tensor
from ..norms import BNTT

SAMPLE_STEPS = 2048  # samples times steps in one batch: more steps need no more memory
MOST_STEPS = 4096


def heard(
    model: nn.Module, data: DataSet, split: str, steps: int, samples: int | None = None
) -> Iterator[tuple[Tensor, NDArray[np.int64]]]:
    """(x [T, B, *shape] on the model's device, labels [B]) of a split's first `samples`; None:
    of all. DataError if the data cannot have so many steps."""
    checked(model, steps)
    if samples is not None and samples < 1:
        raise DataError(f"samples is {samples}; give 1 or more")
    weight = next(model.parameters())
    chosen = data.indices(split)[:samples]
    batch = max(1, min(256, SAMPLE_STEPS // steps))
    for start in range(0, len(chosen), batch):
        x, y = data.take(chosen[start : start + batch], steps)
        yield as_tensor(x, weight.device, weight.dtype), y


def checked(model: nn.Module, steps: int) -> None:
    """ConfigError for a number of steps that makes no sense, NetworkError naming a norm that has
    weights for another number of steps."""
    if not 1 <= steps <= MOST_STEPS:
        raise ConfigError(f"steps is {steps}; give 1 to {MOST_STEPS}")
    for name, layer in model.named_modules():
        if isinstance(layer, BNTT) and len(layer.weight) != steps:
            raise NetworkError(
                f"'{name}' is a BNTT with weights for {len(layer.weight)} steps and cannot run "
                f"for {steps}; give {len(layer.weight)}, or train with a norm that does not "
                "count steps (bn)"
            )
