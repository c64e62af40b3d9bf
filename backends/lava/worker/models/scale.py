"""One weight for each element. Lava's Dense would need a square matrix for it."""

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


class Scale(AbstractProcess):  # type: ignore[misc]
    """a_out = weight * s_in, one step later, as every synapse. weight [*shape]."""

    def __init__(self, *, weight: Any, name: str) -> None:
        super().__init__(weight=weight, name=name)
        self.s_in = InPort(shape=weight.shape)
        self.a_out = OutPort(shape=weight.shape)


@implements(proc=Scale, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class ScaleFloat(PyLoihiProcessModel):  # type: ignore[misc]
    """Real numbers only: the chip has no such synapse."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, float)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, float)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.weight = proc_params["weight"]
        self.a_buff = np.zeros(self.weight.shape)

    def run_spk(self) -> None:
        """One step."""
        self.a_out.send(self.a_buff)
        self.a_buff = self.weight * self.s_in.recv()
