"""One data set in memory, and the batches it is cut into. numpy only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError

SPLITS = ("train", "validation", "test")
Indices = NDArray[np.int64]
Batch = tuple[NDArray[np.float32], NDArray[np.int64]]  # x [T, B, *shape], y [B]


@dataclass(frozen=True, eq=False)
class DataSet:
    """Samples with labels, and which of them are for training, choosing and reporting.

    x: float32 [N, *shape], or [N, T, *shape] if temporal; y: int64 [N], 0 ... classes - 1;
    splits: name -> indices into x. content: 'spikes' if every x is 0 or 1, else 'analogue'.
    DataError where these contradict each other.
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    splits: Mapping[str, Indices]
    classes: int
    content: Literal["analogue", "spikes"] = "analogue"
    temporal: bool = False

    def __post_init__(self) -> None:
        _check_arrays(self)
        check_labels(self)
        check_splits(self)
        for name in ("x", "y"):
            view = getattr(self, name)[:]
            view.flags.writeable = False
            object.__setattr__(self, name, view)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample at one step."""
        return self.x.shape[2 if self.temporal else 1 :]

    @property
    def steps(self) -> int | None:
        """T of samples in time; None where any number of steps can be taken."""
        return self.x.shape[1] if self.temporal else None

    def indices(self, split: str) -> Indices:
        """Which samples a split holds, in file order."""
        if split not in self.splits:
            raise DataError(
                f"{self.name} has no split '{split}'; there are {', '.join(self.splits)}"
            )
        return self.splits[split]

    def order(
        self,
        split: str,
        batch: int,
        *,
        shuffle: tuple[int, int] | None = None,
        share: tuple[int, int] = (0, 1),
        drop_last: bool = False,
    ) -> list[Indices]:
        """The indices of each batch.

        shuffle: (seed, epoch), which fix the order; None: file order. share: (rank, processes),
        of which each takes every processes-th sample of a batch. drop_last: leave out the last
        batch if it is not full, unless it is the only one.
        """
        chosen = self.indices(split)
        if shuffle is not None:
            chosen = np.random.default_rng(shuffle).permutation(chosen)
        starts = range(0, len(chosen), batch)
        batches = [chosen[start : start + batch] for start in starts]
        if drop_last and len(batches) > 1 and len(batches[-1]) < batch:
            batches.pop()
        rank, processes = share
        return [indices[rank::processes] for indices in batches]

    def drawn(self, draw: int) -> "DataSet":
        """The same samples with another draw of chance, where there is any; 0: as it is."""
        return self

    def take(self, indices: Indices, steps: int) -> Batch:
        """(x [T, B, *shape], y [B]) of some samples; a still sample is held for T steps, as a
        view without a stride along time."""
        x, y = self.x[indices], self.y[indices]
        if not self.temporal:
            return np.broadcast_to(x, (steps, *x.shape)), y
        if x.shape[1] != steps:
            raise DataError(
                f"{self.name} has {x.shape[1]} steps, {steps} are asked for; "
                f"set data.steps={x.shape[1]}"
            )
        return np.ascontiguousarray(x.swapaxes(0, 1)), y

    def stream(self, batches: Sequence[Indices], steps: int) -> Iterator[Batch]:
        """`take` of each, in order; a set that is read from files may read ahead."""
        return (self.take(indices, steps) for indices in batches)

    def batches(self, split: str, steps: int, batch: int, **how: Any) -> Iterator[Batch]:
        """The batches of a split, one after the other; how: what `order` takes by name."""
        return self.stream(self.order(split, batch, **how), steps)


def _check_arrays(data: DataSet) -> None:
    least = 3 if data.temporal else 2
    if data.x.ndim < least:
        shape = "[N, T, ...]" if data.temporal else "[N, ...]"
        raise DataError(f"{data.name}: x has shape {list(data.x.shape)}; {shape} is meant")
    if data.y.shape != (len(data.x),):
        raise DataError(
            f"{data.name}: y has shape {list(data.y.shape)} for {len(data.x)} samples; "
            f"[{len(data.x)}] is meant"
        )
    if not np.isfinite(data.x).all():
        raise DataError(f"{data.name}: x holds values that are not finite numbers")


def check_labels(data: DataSet) -> None:
    """DataError if there are none, or some are of no class."""
    if not len(data.y):
        raise DataError(f"{data.name} holds no samples")
    if data.y.min() < 0 or data.y.max() >= data.classes:
        raise DataError(
            f"{data.name}: labels run from {data.y.min()} to {data.y.max()}; "
            f"{data.classes} classes allow 0 to {data.classes - 1}"
        )


def check_classes(data: DataSet) -> None:
    """DataError where all that is trained on is of one class: any net would be right."""
    labels = data.y[data.indices("train")]
    if (labels == labels[0]).all():
        raise DataError(
            f"{data.name}: all {len(labels)} samples that are trained on are of class "
            f"{labels[0]}; give samples of two classes or more"
        )


def check_splits(data: DataSet) -> None:
    """DataError if splits overlap, are empty, or name samples that there are not."""
    used = np.concatenate([data.splits[name] for name in data.splits] or [np.empty(0, np.int64)])
    if len(used) and (used.min() < 0 or used.max() >= len(data.y)):
        raise DataError(
            f"{data.name}: its splits name samples {used.min()} to {used.max()}, "
            f"of which there are {len(data.y)}"
        )
    twice = len(used) - len(np.unique(used))
    if twice:
        raise DataError(f"{data.name}: {twice} samples stand in its splits more than once")
    empty = [name for name in data.splits if not len(data.splits[name])]
    if empty:
        raise DataError(f"{data.name}: split '{empty[0]}' is empty")
