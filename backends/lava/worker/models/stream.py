"""A source: stored rows in a stored order. Lava's RingBuffer holds one copy of the data for
every step; here a static image is held once."""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class Stream(AbstractProcess):  # type: ignore[misc]
    """Sends values[index[j]] at the j-th step after `shift`, and zeros at all other steps.

    values [rows, *shape], index [steps].
    """

    def __init__(self, *, values: Any, index: Any, shift: int, name: str) -> None:
        super().__init__(values=values, index=index, shift=shift, name=name)
        self.s_out = OutPort(shape=values.shape[1:])


class AbstractStream(PyLoihiProcessModel):  # type: ignore[misc]
    """What both number formats share."""

    s_out: Any = None

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.values = proc_params["values"]
        self.index = proc_params["index"]
        self.shift = proc_params["shift"]
        self.nothing = np.zeros(self.values.shape[1:], self.values.dtype)

    def run_spk(self) -> None:
        """One step."""
        at = self.time_step - 1 - self.shift
        inside = 0 <= at < len(self.index)
        self.s_out.send(self.values[self.index[at]] if inside else self.nothing)


@implements(proc=Stream, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class StreamFloat(AbstractStream):
    """Real numbers."""

    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, float)


@implements(proc=Stream, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class StreamFixed(AbstractStream):
    """The chip's integers."""

    s_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
