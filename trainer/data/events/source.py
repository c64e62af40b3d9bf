"""Recordings of events, read one by one -> frames [T, P, H, W] or [T, units]."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.errors import DataError
from ....core.settings import Data
from ....core.settings import Events as Settings
from ...encoders.events import Events, by_number, by_time
from ..cache import Cache, identity
from ..dataset import Indices
from ..lazy import Lazy

MILLISECOND = 1000.0  # of events, whose t is in microseconds


@dataclass(frozen=True)
class Recording:
    """A sample: its file, what of it (told by the format), and its class."""

    path: Path
    label: int
    part: str = ""  # unique within the file
    at: Any = None  # where in the file


@dataclass(eq=False)
class Frames:
    """A Source of frames. decode: recording -> events, t in microseconds from 0. sensor: (P, H, W),
    or (units,)."""

    name: str
    recordings: Sequence[Recording]
    decode: Callable[[Recording], Events]
    sensor: tuple[int, ...]
    settings: Settings
    cache: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a frame."""
        size = self.settings.size
        return (self.sensor[0], size, size) if size else self.sensor

    def read(
        self, index: int, steps: int, random: np.random.Generator | None
    ) -> NDArray[np.float32]:
        """See lazy.Source; nothing is left to chance."""
        recording = self.recordings[index]
        if not self.cache or not recording.path.is_file():
            return self.made(recording, steps)
        about = {
            "name": self.name,
            "steps": steps,
            "shape": self.shape,
            "events": self.settings.model_dump(),
            "file": identity(recording.path),
        }
        kept = Cache(Path(self.cache), about)
        return kept.get(recording.part or "all", lambda: self.made(recording, steps))

    def made(self, recording: Recording, steps: int) -> NDArray[np.float32]:
        """Frames of one recording. DataError naming its file."""
        where = f"{recording.path} {recording.part}".rstrip()
        try:
            events = self._cut(self.decode(recording))
            if not len(np.asarray(events.t)):
                raise DataError("holds no events")
            frames = self._framed(events, steps)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        except OSError as error:
            raise DataError(f"{where} cannot be read: {error.strerror or error}") from error
        return frames.reshape(steps, *self.shape)

    def _cut(self, events: Events) -> Events:
        """Those within events.duration, if one is set."""
        if not self.settings.duration:
            return events
        within = np.asarray(events.t) < self.settings.duration * MILLISECOND
        return Events(*(np.asarray(a)[within] for a in (events.t, events.x, events.y, events.p)))

    def _framed(self, events: Events, steps: int) -> NDArray[np.float32]:
        about = self.settings
        _inside(events, self.sensor)
        if about.size:
            height, width = self.sensor[1:]
            y = np.asarray(events.y, np.int64) * about.size // height
            x = np.asarray(events.x, np.int64) * about.size // width
            events = Events(events.t, x, y, events.p)
        shape = self.shape if len(self.shape) == 3 else (1, 1, *self.shape)
        if about.by == "number":
            return by_number(events, steps, shape, about.once, about.scaled)  # type: ignore[arg-type]
        last = float(np.asarray(events.t)[-1]) + 1
        duration = about.duration * MILLISECOND or last
        return by_time(events, steps, shape, duration, about.once, about.scaled)  # type: ignore[arg-type]


def _inside(events: Events, sensor: tuple[int, ...]) -> None:
    """DataError for an event outside of the sensor, before pixels are put together."""
    limits = sensor if len(sensor) == 3 else (1, 1, *sensor)
    for name, values, limit in zip("pyx", (events.p, events.y, events.x), limits, strict=True):
        found = np.asarray(values)
        if found.size and not 0 <= found.min() <= found.max() < limit:
            raise DataError(
                f"an event has {name} = {found.max() if found.max() >= limit else found.min()}; "
                f"the sensor has 0 to {limit - 1}"
            )


def lazy(frames: Frames, splits: dict[str, Indices], classes: int, settings: Data) -> Lazy:
    """The data set of a source of frames."""
    if frames.settings.size and len(frames.sensor) != 3:
        raise DataError(
            f"data.events.size is {frames.settings.size}, but {frames.name} has no pixels"
        )
    labels = np.array([recording.label for recording in frames.recordings], np.int64)
    binary = frames.settings.once
    return Lazy(
        frames.name,
        labels,
        splits,
        classes,
        "spikes" if binary else "analogue",
        True,
        source=frames,
        workers=settings.workers,
    )
