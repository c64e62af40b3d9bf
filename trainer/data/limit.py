"""Fewer samples than there are: the first of a split, in file order."""

from collections.abc import Mapping
from dataclasses import replace

from ...core.errors import DataError
from ...core.settings import Data
from .dataset import DataSet, Indices


def limited(found: DataSet, settings: Data) -> DataSet:
    """The data set with data.samples and data.validation_samples; itself where they are 0. The
    test split stays whole. DataError if a split has fewer."""
    wanted = {"train": settings.samples, "validation": settings.validation_samples}
    if not any(wanted.values()):
        return found
    return replace(found, splits={**found.splits, **_first(found, wanted)})


def _first(found: DataSet, wanted: Mapping[str, int]) -> dict[str, Indices]:
    kept = {}
    for split, count in wanted.items():
        there = found.indices(split)
        if count > len(there):
            key = "samples" if split == "train" else f"{split}_samples"
            raise DataError(
                f"data.{key} is {count}, and split '{split}' of {found.name} has {len(there)}; "
                f"give at most that, or 0 for all"
            )
        kept[split] = there[:count] if count else there
    return kept
