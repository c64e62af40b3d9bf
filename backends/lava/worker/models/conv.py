"""Lava's Conv keeps its geometry in 8-bit integers: more than 127 groups silently wrap. The same
process and the same step with 32 bits."""

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv import utils
from lava.proc.conv.models import AbstractPyConvModel
from lava.proc.conv.process import Conv


class WideConv(Conv):  # type: ignore[misc]
    """Lava's Conv where a kernel, stride, padding, dilation or group number is over 127."""


class AbstractWide(AbstractPyConvModel):  # type: ignore[misc]
    """The geometry in 32 bits."""

    kernel_size: Any = LavaPyType(np.ndarray, np.int32)
    stride: Any = LavaPyType(np.ndarray, np.int32)
    padding: Any = LavaPyType(np.ndarray, np.int32)
    dilation: Any = LavaPyType(np.ndarray, np.int32)
    groups: Any = LavaPyType(np.ndarray, np.int32)


@implements(proc=WideConv, protocol=LoihiProtocol)
@requires(CPU)
@tag("floating_pt")
class WideConvFloat(AbstractWide):
    """Real numbers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, float)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, float)
    a_buf: Any = LavaPyType(np.ndarray, float)
    weight: Any = LavaPyType(np.ndarray, float)


@implements(proc=WideConv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class WideConvFixed(AbstractWide):
    """The chip's integers."""

    s_in: Any = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    a_out: Any = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    a_buf: Any = LavaPyType(np.ndarray, np.int32, precision=24)
    weight: Any = LavaPyType(np.ndarray, np.int32, precision=8)

    def clamp_precision(self, x: Any) -> Any:
        """As Lava's fixed-point Conv."""
        return utils.signed_clamp(x, bits=24)
