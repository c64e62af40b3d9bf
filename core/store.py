"""Networks in files: .nir read and written, lava-dl's .net read; digests.

Reading is our own (core.hdf5), so that a stranger's file has limits and every fault is one
clear NetworkError. What is written is what nir makes of a graph of its own, so that every tool can
read it.
"""

from pathlib import Path

from . import lavadl_read
from .annotation import annotation, as_fields, digest
from .errors import NetworkError, SpikeportError
from .hdf5 import Reader
from .metadata import KEY, parse
from .nested import flattened
from .network import Network
from .nir_build import build
from .nir_file import (
    contents,
    nir_node,
    plainly_readable,
    plainly_typed,
    to_nir,
    write,
    write_contents,
)
from .stated import Stated, flag, foreign

__all__ = [
    "Stated",
    "annotation",
    "as_fields",
    "contents",
    "digest",
    "nir_node",
    "plainly_readable",
    "plainly_typed",
    "read",
    "to_nir",
    "write",
    "write_contents",
]


def read(path: str | Path, stated: Stated | None = None) -> Network:
    """The network in a .nir file, ours or foreign, or in a .net file of lava-dl's.

    NetworkError if the file is damaged, its meaning is unclear, it contradicts `stated`, or it
    was changed after we wrote it.
    """
    stated = stated or Stated()
    if Path(path).suffix == ".net":
        return read_net(path, stated)
    raw = Reader(Path(path)).read()
    where = str(path)
    told = parse(raw.metadata, where)
    try:
        raw = flattened(raw)
        network = build(raw, told or foreign(stated), told is None, stated)
        if told is not None and told.digest not in (None, digest(network)):
            raise NetworkError(
                f"its digest is {digest(network)[:12]}..., the file says {told.digest[:12]}...: "
                "it was changed after it was written; export it again, or take out "
                f"metadata['{KEY}'] to have it read as a foreign file"
            )
    except SpikeportError as error:
        raise type(error)(f"{where}: {error}") from None
    return network


def read_net(path: str | Path, stated: Stated) -> Network:
    """lava-dl's file says all but the seconds of a step."""
    for key, value in stated.items().items():
        if key != "dt":
            raise NetworkError(
                f"{path}: --{flag(key)} {value} is said of a .net file, whose "
                "neurons are Loihi's; leave it out"
            )
    return lavadl_read.read(path, stated.dt)
