"""Signals whose elements wait different times.

A Hold keeps each element for its own number of steps; like a neuron it receives before it
sends, so that an element that waits for nothing passes in the same step. At the start of a
sample an element is 0 for as long as it waits: what was held belongs to the sample before.
"""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from .window import Window


class Hold(AbstractProcess):  # type: ignore[misc]
    """Passes on each element after its `steps`, an array of the signal's shape."""

    def __init__(self, *, steps: Any, window: Window, name: str) -> None:
        super().__init__(steps=steps, window=window, name=name)
        self.s_in = InPort(shape=steps.shape)
        self.a_out = OutPort(shape=steps.shape)


class AbstractHold(PyLoihiProcessModel):  # type: ignore[misc]
    """What both number formats share."""

    s_in: Any = None
    a_out: Any = None

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.window: Window = proc_params["window"]
        self.steps = proc_params["steps"].ravel()
        self.element = np.arange(self.steps.size)
        self.held: Any = None  # [most + 1, elements], in a ring

    def run_spk(self) -> None:
        """One step."""
        heard = self.s_in.recv()
        if self.held is None:
            self.held = np.zeros((self.steps.max() + 1, heard.size), heard.dtype)
        at = self.time_step % len(self.held)
        self.held[at] = heard.ravel()
        late = self.held[(at - self.steps) % len(self.held), self.element]
        late = np.where(self.window.age(self.time_step) < self.steps, 0, late)
        self.a_out.send(late.reshape(heard.shape).astype(heard.dtype))


@implements(proc=Hold, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class HoldFloat(AbstractHold):
    """Real numbers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, float)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, float)


@implements(proc=Hold, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class HoldFixed(AbstractHold):
    """The chip's integers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
