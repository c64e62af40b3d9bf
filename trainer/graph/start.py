"""What fine-tuning starts from: a lowered network, and how a checkpoint holds it."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...core import store
from ...core.errors import NetworkError
from ...core.network import Network


@dataclass(frozen=True, eq=False)
class Start:
    """real: the trained network, norms folded, in real numbers. chip: the same nodes in the
    chip's integers, whose scales, exponents and decays training keeps; None: train in real
    numbers. Weights and biases come from `real` either way. doubts: what is odd of the data that
    the scales were chosen on.
    """

    real: Network
    chip: Network | None = None
    doubts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.chip is None:
            return
        strangers = set(self.real.nodes) - set(self.chip.nodes)
        if strangers:
            raise NetworkError(
                f"the integer network has no node {sorted(strangers)[0]!r}; quantise the network "
                "that is trained on, pools and all"
            )

    @property
    def network(self) -> Network:
        """The graph that is run."""
        return self.real if self.chip is None else self.chip

    def to_tensors(self) -> dict[str, Tensor]:
        """The networks as the bytes of .nir files, for a checkpoint, and the doubts as text."""
        found = {"real": as_bytes(self.real)}
        if self.chip is not None:
            found["chip"] = as_bytes(self.chip)
        if self.doubts:
            found["doubts"] = torch.tensor(list("\n".join(self.doubts).encode()), dtype=torch.uint8)
        return found

    @classmethod
    def from_tensors(cls, held: Mapping[str, Tensor]) -> "Start":
        """What `to_tensors` made; NetworkError if it was damaged."""
        chip = held.get("chip")
        doubts = bytes(held["doubts"].tolist()).decode().split("\n") if "doubts" in held else ()
        made = None if chip is None else from_bytes(chip)
        return cls(from_bytes(held["real"]), made, tuple(doubts))


def as_bytes(network: Network) -> Tensor:
    """A .nir file as uint8 [bytes]."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.nir"
        store.write(network, path)
        return torch.frombuffer(bytearray(path.read_bytes()), dtype=torch.uint8)


def from_bytes(held: Tensor) -> Network:
    """The network in such a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.nir"
        path.write_bytes(held.numpy().tobytes())
        return store.read(path)
