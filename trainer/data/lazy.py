"""A data set whose samples are read when they are needed, in worker processes.

What a sample becomes follows from (seed, draw, sample) alone, so that neither the number of
workers nor the batch it stands in changes a bit of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from .dataset import Batch, DataSet, Indices, check_labels, check_splits

AHEAD = 2  # batches that each worker has ready


class Source(Protocol):
    """Where samples come from."""

    shape: tuple[int, ...]  # of a sample at one step

    def read(
        self, index: int, steps: int, random: np.random.Generator | None
    ) -> NDArray[np.float32]:
        """[T, *shape] of a sample in time, or [*shape]; random: of training, which may augment.
        DataError naming the file."""
        ...


@dataclass(frozen=True, eq=False)
class Lazy(DataSet):
    """x is empty; `source` reads samples instead. workers: processes that read ahead; 0: none."""

    source: Any = None
    workers: int = 0
    seed: int = 0
    draw: int = 0
    x: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32), init=False)

    def __post_init__(self) -> None:
        check_labels(self)
        check_splits(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample at one step."""
        found: tuple[int, ...] = self.source.shape
        return found

    @property
    def steps(self) -> None:
        """Any number can be taken: a recording is cut into as many frames."""
        return None

    def drawn(self, draw: int) -> DataSet:
        """The same samples with another draw of chance."""
        return replace(self, draw=draw)

    def take(self, indices: Indices, steps: int) -> Batch:
        """(x [T, B, *shape], y [B])."""
        x = np.stack([self._sample(int(i), steps) for i in indices])
        y = self.y[indices]
        if self.temporal:
            return np.ascontiguousarray(x.swapaxes(0, 1)), y
        return np.broadcast_to(x, (steps, *x.shape)), y

    def _sample(self, index: int, steps: int) -> NDArray[np.float32]:
        random = np.random.default_rng((self.seed, self.draw, index)) if self.draw else None
        x: NDArray[np.float32] = self.source.read(index, steps, random)
        return x

    def stream(self, batches: Sequence[Indices], steps: int) -> Iterator[Batch]:
        """See DataSet; read ahead by worker processes, in order."""
        if not self.workers:
            yield from super().stream(batches, steps)
            return
        from torch.utils.data import DataLoader

        loader: Any = DataLoader(
            _Batches(self, batches, steps),  # type: ignore[arg-type]
            batch_size=None,
            num_workers=min(self.workers, len(batches)),
            prefetch_factor=AHEAD,
            collate_fn=_as_it_is,
        )
        ready = iter(loader)
        while True:
            try:
                found = next(ready)
            except StopIteration:
                return
            except RuntimeError as error:  # a worker that was killed
                reason = str(error).splitlines()[0]
                raise DataError(f"{self.name}: reading ended: {reason}") from error
            if isinstance(found, str):
                raise DataError(found)
            x, y = found
            yield (x if self.temporal else np.broadcast_to(x, (steps, *x.shape))), y


class _Batches:
    """Batches by number, as a worker reads them; a complaint comes back as text."""

    def __init__(self, data: Lazy, batches: Sequence[Indices], steps: int) -> None:
        self.data, self.batches, self.steps = data, batches, steps

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> Batch | str:
        if number >= len(self.batches):
            raise IndexError(number)
        try:
            x, y = self.data.take(self.batches[number], self.steps)
        except DataError as error:
            return str(error)
        return (x if self.data.temporal else x[0]), y


def _as_it_is(found: Any) -> Any:
    """No tensors are made: numpy arrays go through as they are."""
    return found
