"""Neurons that Lava's library does not ship: reset by subtraction, and a refractory period in
every number format. The membrane's own dynamics stay Lava's."""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import AbstractPyLifModelFixed, AbstractPyLifModelFloat
from lava.proc.lif.process import LIF


class ExtendedLIF(LIF):  # type: ignore[misc]
    """LIFReset with more parameters. subtract: a spike takes `amount` off the membrane in place
    of setting it to 0 (the fixed-point model takes off its threshold). refractory: steps for
    which the membrane is held at 0 after a spike, while the current goes on."""


class Extended:
    """The step of both number formats; comes before Lava's abstract model."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)  # type: ignore[call-arg]
        self.reset_interval: int = proc_params["reset_interval"]
        self.reset_offset: int = proc_params["reset_offset"] % self.reset_interval
        self.subtract: bool = proc_params["subtract"]
        self.amount: Any = proc_params["amount"]
        self.refractory: int = proc_params["refractory"]
        self.rest = np.zeros(proc_params["shape"], np.int64)

    def run_spk(self: Any) -> None:
        """One step."""
        drive = self.a_in.recv()
        if self.time_step % self.reset_interval == self.reset_offset:
            self.u *= 0
            self.v *= 0
            self.rest *= 0
        self.prepare()
        self.subthr_dynamics(activation_in=drive)
        held = self.rest > 0
        self.v[held] = 0
        spikes = self.v > self.threshold()
        self.rest = np.where(spikes, self.refractory, self.rest - held)
        self.v[:] = np.where(spikes, self.v - self.taken() if self.subtract else 0, self.v)
        self.s_out.send(spikes)


@implements(proc=ExtendedLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class ExtendedLIFFloat(Extended, AbstractPyLifModelFloat):  # type: ignore[misc]
    """Real numbers."""

    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, float)
    vth: Any = LavaPyType(float, float)

    def prepare(self) -> None:
        """Nothing to scale."""

    def threshold(self) -> Any:
        """As given."""
        return self.vth

    def taken(self) -> Any:
        """As given."""
        return self.amount


@implements(proc=ExtendedLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class ExtendedLIFFixed(Extended, AbstractPyLifModelFixed):  # type: ignore[misc]
    """The chip's integers."""

    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    vth: Any = LavaPyType(int, np.int32, precision=17)

    def prepare(self) -> None:
        """Bias and threshold move into the state's scale, as in Lava's own models."""
        self.scale_bias()

    def threshold(self) -> Any:
        """In the state's scale."""
        return np.left_shift(self.vth, self.vth_shift)

    def taken(self) -> Any:
        """In the state's scale."""
        return self.threshold()
