"""lava-dl's .net files, which are no NIR and say all but the seconds of a step: the chip's
integers, as netx runs them."""

from ...core.errors import UnsupportedNode
from ...core.hdf5 import RawGraph
from ...core.nodes import Neuron
from .base import Dialect, Fields, NotMine, Reading

SUFFIX = ".net"


def neuron(kind: str, fields: Fields, name: str, reading: Reading) -> Neuron:
    """None is in a .nir file."""
    raise UnsupportedNode("lava-dl writes .net files, not NIR")


def fits(raw: RawGraph) -> list[str]:
    """No .nir file is one."""
    raise NotMine("it is a .nir file, not a .net file")


LAVADL = Dialect("lava-dl", "lava-dl", neuron, fits)
