"""Steps Lava's compiled process models in one OS process, without its runtime's messages.

Lava's compiler decides on the models and the channels; a queue stands for each channel and
casts as Lava's shared memory does. Synapses send what they computed the step before and only
then receive: what they are about to send is sent for all of them first, so that every other
process finds its input there in one pass.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from lava.magma.core.process.ports.ports import create_port_id

from .wire import Array

BUFFERS = ("a_buff", "a_buf")  # Lava's names for what a synapse will send


class Queue:
    """One end of a channel, with Lava's methods."""

    def __init__(self, name: str, waiting: "deque[Array]", dtype: Any, shape: Any) -> None:
        self.name = name
        self.waiting = waiting
        self.dtype = np.dtype(dtype)
        self.shape = tuple(shape)

    def send(self, data: Any) -> None:
        """Put a copy in the channel's dtype; Lava's own channel refuses other shapes too."""
        if data.shape != self.shape:
            raise AssertionError(f"{self.name} sends shape {data.shape}, not {self.shape}")
        self.waiting.append(data.astype(self.dtype))

    def recv(self) -> Array:
        """Take the oldest."""
        return self.waiting.popleft()

    def probe(self) -> bool:
        """Whether anything is there."""
        return bool(self.waiting)


class Early:
    """A synapse's output: sent at the start of the step, and found equal when its turn comes."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.buffer = next(name for name in BUFFERS if hasattr(model, name))
        self.send_now: Callable[[Any], None] = model.a_out.send
        self.sent: Any = None
        model.a_out.send = self.check

    def send(self) -> None:
        """Send what the synapse holds."""
        self.sent = getattr(self.model, self.buffer)
        self.send_now(self.sent)

    def check(self, data: Any) -> None:
        """What the model itself sends must be what was sent for it."""
        if data is not self.sent:
            raise RuntimeError(f"{type(self.model).__name__} sends before it has received")


def sends_early(model: Any) -> bool:
    """Whether the model sends before it receives."""
    return any(hasattr(model, name) for name in BUFFERS)


class Stepper:
    """A compiled network that can be stepped."""

    def __init__(self, executable: Any) -> None:
        builders = executable.proc_builders
        for channel in executable.channel_builders:
            connect(builders, channel)
        self.models: dict[Any, Any] = {p: builder.build() for p, builder in builders.items()}
        self.early = [Early(m) for m in self.models.values() if sends_early(m)]
        self.order = [self.models[p] for p in ordered(self.models, executable.channel_builders)]

    def step(self) -> None:
        """One time step of every process."""
        for synapse in self.early:
            synapse.send()
        for model in self.order:
            model.time_step += 1
            model.run_spk()


def connect(builders: Mapping[Any, Any], channel: Any) -> None:
    """A queue for one of Lava's channels."""
    source, target = channel.src_port_initializer, channel.dst_port_initializer
    waiting: deque[Array] = deque()
    sender = Queue(source.name, waiting, source.d_type, source.shape)
    receiver = Queue(target.name, waiting, source.d_type, source.shape)
    builders[channel.src_process].set_csp_ports([sender])
    builders[channel.dst_process].set_csp_ports([receiver])
    port = create_port_id(channel.src_process.id, source.name)
    builders[channel.dst_process].add_csp_port_mapping(port, receiver)


def ordered(models: Mapping[Any, Any], channels: Any) -> list[Any]:
    """Every process after those whose message of this step it needs."""
    edges = {
        (c.src_process, c.dst_process) for c in channels if not sends_early(models[c.src_process])
    }
    missing = {p: sum(target is p for _, target in edges) for p in models}
    ready = [p for p, count in missing.items() if not count]
    for process in ready:  # grows while it is walked
        for source, target in edges:
            if source is process:
                missing[target] -= 1
                if not missing[target]:
                    ready.append(target)
    if len(ready) < len(models):
        raise RuntimeError("a loop without a synapse: Lava's runtime would wait for ever")
    return ready


class States:
    """v and u of some populations, kept at the end of each step of their windows."""

    def __init__(self, wanted: list[dict[str, Any]], models: Mapping[str, Any], count: int) -> None:
        self.kept = []
        for one in wanted:
            model = models[one["piece"]]
            for name in one["states"]:
                values = getattr(model, name)
                array = np.zeros((count, *values.shape), values.dtype)
                self.kept.append((f"{name}/{one['name']}", array, values, one["shift"]))

    def keep(self, step: int) -> None:
        """Keep chip step `step` (from 1). Lava's models change v and u in place."""
        for _, array, values, shift in self.kept:
            at = step - 1 - shift
            if 0 <= at < len(array):
                array[at] = values

    def arrays(self) -> dict[str, Array]:
        """'v/NODE' and 'u/NODE' -> [steps, *shape]."""
        return {name: array for name, array, _, _ in self.kept}
