"""Edges that wait, and edges that must not carry one sample into the next.

A Line holds what it receives for a whole number of steps; like a synapse, it sends before it
receives. A Gate passes it on in the same step; like a neuron, it receives before it sends. Both
send zeros while their window is closed.
"""

from collections import deque
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


class Gate(AbstractProcess):  # type: ignore[misc]
    """Passes on in the same step; nothing while the window is closed."""

    def __init__(self, *, shape: tuple[int, ...], window: Window, name: str) -> None:
        super().__init__(shape=shape, window=window, name=name)
        self.s_in = InPort(shape=shape)
        self.a_out = OutPort(shape=shape)


class Line(AbstractProcess):  # type: ignore[misc]
    """Passes on after `steps` steps (at least 1); nothing while the window is closed."""

    def __init__(self, *, shape: tuple[int, ...], steps: int, window: Window, name: str) -> None:
        super().__init__(shape=shape, steps=steps, window=window, name=name)
        self.s_in = InPort(shape=shape)
        self.a_out = OutPort(shape=shape)


class AbstractGate(PyLoihiProcessModel):  # type: ignore[misc]
    """What both number formats share."""

    s_in: Any = None
    a_out: Any = None

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.window: Window = proc_params["window"]

    def run_spk(self) -> None:
        """One step."""
        heard = self.s_in.recv()
        self.a_out.send(np.zeros_like(heard) if self.window.closed(self.time_step) else heard)


class AbstractLine(PyLoihiProcessModel):  # type: ignore[misc]
    """What both number formats share. a_buff: what goes out at the next step, by Lava's own
    name for it in a synapse."""

    s_in: Any = None
    a_out: Any = None

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.window: Window = proc_params["window"]
        self.a_buff = np.zeros(proc_params["shape"])
        self.held = deque(self.a_buff for _ in range(proc_params["steps"] - 1))

    def run_spk(self) -> None:
        """One step."""
        self.a_out.send(self.a_buff)
        self.held.append(self.s_in.recv())
        oldest = self.held.popleft()
        closed = self.window.closed(self.time_step + 1)
        self.a_buff = np.zeros_like(oldest) if closed else oldest


@implements(proc=Gate, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class GateFloat(AbstractGate):
    """Real numbers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, float)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, float)


@implements(proc=Gate, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class GateFixed(AbstractGate):
    """The chip's integers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32)


@implements(proc=Line, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class LineFloat(AbstractLine):
    """Real numbers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, float)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, float)


@implements(proc=Line, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class LineFixed(AbstractLine):
    """The chip's integers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
