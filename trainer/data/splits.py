"""Which samples are for training, for choosing the model, and for reporting.

The lists of the named data sets are files beside this one, made once by `stratified`:

    # a comment
    samples 1797
    train rest                    all that the other splits leave
    validation
    3 17 20-22 ...                indices, and ranges with both ends in
    test
    ...
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from .dataset import Indices

FOLDER = Path(__file__).parent / "splits"


def committed(name: str, samples: int) -> dict[str, Indices]:
    """The committed lists of a data set that has so many samples."""
    path = FOLDER / f"{name}.txt"
    splits = read(path.read_text(encoding="ascii"), str(path))
    listed = sum(len(indices) for indices in splits.values())
    if listed != samples:
        raise DataError(
            f"{name} has {samples} samples, its split lists {listed}; "
            "this is not the data set the lists were made for"
        )
    return splits


def read(text: str, origin: str) -> dict[str, Indices]:
    """The splits in a text of the form above."""
    lists: dict[str, list[int]] = {}
    rest, name, samples = "", "", 0
    for line in text.splitlines():
        word, _, tail = line.partition(" ")
        if not line or line.startswith("#"):
            continue
        if word == "samples":
            samples = int(tail)
        elif word.isalpha():
            name, lists[word] = word, []
            rest = word if tail == "rest" else rest
        elif name:
            lists[name] += [i for item in line.split() for i in _range(item, origin)]
    if rest:
        taken = {i for indices in lists.values() for i in indices}
        lists[rest] = [i for i in range(samples) if i not in taken]
    return {name: np.array(indices, np.int64) for name, indices in lists.items()}


def _range(item: str, origin: str) -> range:
    first, _, last = item.partition("-")
    try:
        return range(int(first), int(last or first) + 1)
    except ValueError:
        raise DataError(f"{origin}: '{item}' is no index and no range of indices") from None


def written(splits: Mapping[str, Indices], rest: str, comment: str) -> str:
    """The text of some splits; `rest` is the one that is not listed."""
    samples = sum(len(indices) for indices in splits.values())
    lines = [f"# {comment}", f"samples {samples}"]
    for name, indices in splits.items():
        lines.append(f"{name} rest" if name == rest else name)
        if name != rest:
            lines += _wrapped(_items(np.sort(indices)))
    return "\n".join(lines) + "\n"


def _items(indices: Indices) -> list[str]:
    """Indices in ascending order, runs of them as ranges."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]


def _wrapped(items: list[str], width: int = 100) -> list[str]:
    lines = [""]
    for item in items:
        if len(lines[-1]) + len(item) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {item}".strip()
    return lines


def stratified(
    labels: NDArray[np.int64], sizes: Mapping[str, int], seed: int = 0
) -> dict[str, Indices]:
    """Deal the samples into splits of the given sizes, each class in proportion.

    Every class is shuffled and its samples are spread evenly over 0 ... 1; all samples in that
    order are then cut into the splits. So a split's share of a class is right to within one or
    two samples, whatever the sizes. The generator is numpy's legacy one, whose stream is frozen.
    """
    if sum(sizes.values()) != len(labels):
        raise DataError(f"splits of {dict(sizes)} do not add up to {len(labels)} samples")
    generator = np.random.RandomState(seed)
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    order = np.argsort(place, kind="stable")
    cuts = np.cumsum(list(sizes.values()))[:-1]
    return {name: np.sort(part) for name, part in zip(sizes, np.split(order, cuts), strict=True)}
