"""The recordings of chunks of samples, put together as they come."""

from threading import Lock
from typing import Any

import numpy as np

from ...core.arrays import Numbers
from ...core.recording import Recording

GROUPS = ("outputs", "spikes", "v", "u")


class Joined:
    """A recording of `batch` samples; every chunk is copied to its place at once and let go."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.found: dict[str, dict[str, Numbers]] = {group: {} for group in GROUPS}
        self.header: dict[str, Any] = {}
        self.ways: dict[str, set[str]] = {}  # chunks of another spike rate may go another way
        self.lock = Lock()

    def add(self, start: int, part: Recording) -> None:
        """A chunk whose first sample is `start`."""
        with self.lock:
            self.header = {**part.header}
            for name, way in part.header["loihi"]["sums"].items():
                self.ways.setdefault(name, set()).add(way)
            for group in GROUPS:
                for name, values in getattr(part, group).items():
                    if name not in self.found[group]:
                        shape = (len(values), self.batch, *values.shape[2:])
                        self.found[group][name] = np.empty(shape, values.dtype)
        for group in GROUPS:
            for name, values in getattr(part, group).items():
                self.found[group][name][:, start : start + values.shape[1]] = values

    def recording(self) -> Recording:
        """All of it."""
        sums = {name: ", ".join(sorted(ways)) for name, ways in self.ways.items()}
        self.header["loihi"] = {**self.header["loihi"], "sums": sums}
        outputs, spikes, v, u = (self.found[group] for group in GROUPS)
        return Recording(outputs, spikes, v, u, self.header)
