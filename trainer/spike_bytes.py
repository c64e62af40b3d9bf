"""`run.spike_bytes`: what layers keep of spikes for the backward pass takes one byte a spike.

A convolution keeps its input, which is spikes of 0 and 1 in four bytes each. While a `SpikeBytes`
runs its net, whatever makes spikes tells of them (`fired`, `alike`), and what autograd is about
to keep of that memory it keeps as uint8; the backward pass makes them again, bit for bit and laid
out as they were. Layers that keep the same spikes share their bytes. Nothing is guessed from
values: memory that nobody told of, or that was written to since, is kept as it is.

Outside of a `SpikeBytes`, and in other threads, all of this does nothing.
"""

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.weak import TensorWeakRef

from ..core.errors import ConfigError
from ..core.settings import TrainConfig

Hooks = tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]  # pack, unpack
PLAIN = (Tensor, nn.Parameter)  # what has memory, and no say in what is done with it
LEAD = 512  # spikes: what is made again begins at the same multiple of all alignments, so that
# products of it take the same way, and round alike

# hooks that are there already; older torch cannot tell, and asks the innermost alone
_hooks_outside: Callable[[bool], Hooks | None] = getattr(
    torch._C._autograd, "_top_saved_tensors_default_hooks", lambda _: None
)
_ledgers: "dict[int, Ledger]" = {}  # of the threads that run a net


class SpikeBytes(nn.Module):
    """A net whose layers keep spikes as bytes. Nothing that it computes moves by a bit."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """As the net."""
        with in_bytes():
            out: Tensor = self.net(x)
        return out


def spike_bytes(net: nn.Module, config: TrainConfig) -> nn.Module:
    """The net as training runs it. ConfigError names what leaves nothing to be saved."""
    from .regularisers import listens

    if not config.run.spike_bytes:
        return net
    if steps := config.run.checkpoint_steps:
        raise ConfigError(
            f"run.spike_bytes is set, but run.checkpoint_steps is {steps}, which keeps the inside "
            "of one segment at a time, and little of that is spikes; leave one of the two out"
        )
    if key := listens(config.train.regularisers):
        raise ConfigError(
            f"run.spike_bytes is set, but train.regularisers.{key} keeps the spikes of all layers "
            "as they are until the backward pass has ended; leave one of the two out"
        )
    return SpikeBytes(net)


@contextmanager
def in_bytes() -> Iterator[None]:
    """Inside the block, what this thread keeps of spikes is bytes."""
    me = get_ident()
    ledger, outside = Ledger(_hooks_outside(False)), _ledgers.get(me)
    with saved_tensors_hooks(ledger.pack, lambda kept: kept.get()):
        try:
            _ledgers[me] = ledger
            yield
        finally:
            if outside is None:
                _ledgers.pop(me, None)
            else:
                _ledgers[me] = outside


def fired(spikes: Tensor) -> Tensor:
    """Tells of spikes, each 0 or 1, that have been made just now; hands them back."""
    if _ledgers and (ledger := _here()) is not None:
        ledger.note(spikes)
    return spikes


def hooked() -> bool:
    """Whether hooks of somebody else's are asked for what is kept now, and so may hold it."""
    if (top := _hooks_outside(False)) is None:
        return False
    ledger = _ledgers.get(get_ident())
    return ledger is None or ledger.outside is not None or top[0] != ledger.pack


def alike(made: Tensor, *of: Tensor) -> Tensor:
    """Tells of what was made of spikes alone, 0 or 1 as they are, if all of them are known."""
    if _ledgers and (ledger := _here()) is not None:
        if of and all(ledger.known(x) is not None for x in of):
            ledger.note(made)
    return made


def as_heard(x: Tensor) -> Tensor:
    """Known spikes in the type in which autocast hands them on to a layer, which keeps those."""
    if _ledgers and (ledger := _here()) is not None and torch.is_autocast_enabled(x.device.type):
        if x.dtype == torch.float32 and ledger.known(x) is not None:
            return alike(x.to(torch.get_autocast_dtype(x.device.type)), x)
    return x


def _here() -> "Ledger | None":
    """This thread's, where tensors have memory."""
    return None if torch._C._are_functorch_transforms_active() else _ledgers.get(get_ident())


@dataclass
class Entry:
    """Memory that is spikes and nothing else, as long as a tensor lives that was told of and
    autograd counts no write to it. kept: their bytes, as long as a layer keeps them."""

    told: list[TensorWeakRef]
    memory: tuple[int, int, torch.dtype]
    version: int
    kept: "weakref.ref[Held] | None" = None
    room: int = 8  # tensors; then those that are gone are looked for

    def add(self, spikes: Tensor) -> None:
        """One more that was told of."""
        if len(self.told) >= self.room:
            self.told = [ref for ref in self.told if ref() is not None]
            self.room = 2 * len(self.told) + 8
        self.told.append(TensorWeakRef(spikes))

    def holds(self) -> bool:
        """Whether it is spikes still."""
        live = [x for ref in self.told if (x := ref()) is not None]
        same = (x._version == self.version and memory(x) == self.memory for x in live)
        return bool(live) and all(same)


class Ledger:
    """The spikes of one forward pass, by where they are in memory; it holds none of them."""

    def __init__(self, outside: Hooks | None) -> None:
        self.outside = outside
        self.entries: dict[int, Entry] = {}

    def note(self, spikes: Tensor) -> None:
        """Spikes that fill their memory."""
        if (entry := self.known(spikes)) is not None:
            entry.add(spikes)
        elif plain(spikes) and fills(spikes):
            entry = Entry([TensorWeakRef(spikes)], memory(spikes), spikes._version)
            self.entries[entry.memory[0]] = entry

    def known(self, x: Tensor) -> Entry | None:
        """What is known of the memory of x, where it is spikes."""
        if not self.entries or not plain(x):
            return None
        found = memory(x)
        entry = self.entries.get(found[0])
        if entry is None or entry.memory != found or entry.version != x._version:
            return None
        return entry if entry.holds() else None

    def pack(self, x: Tensor) -> "Kept":
        """What is kept in place of x."""
        entry = self.known(x) if x.numel() else None
        if entry is None:
            return Held(x) if self.outside is None else Outside(x, self.outside)
        if self.outside is not None:  # which may bear to be asked once for each, and no more
            first, stop = reach(x)
            return Spikes(Outside(to_bytes(x, first, stop), self.outside), x, first)
        kept = None if entry.kept is None else entry.kept()
        if kept is None:
            kept = Held(to_bytes(x, 0, x.untyped_storage().nbytes() // x.itemsize))
            entry.kept = weakref.ref(kept)
        return Spikes(kept, x)


class Kept(Protocol):
    """Stands for a tensor until the backward pass."""

    def get(self) -> Tensor:
        """The tensor."""
        ...


class Held:
    """A tensor as torch keeps it: the memory itself. With hooks torch leaves it to them to see
    that nobody writes to it meanwhile."""

    def __init__(self, x: Tensor) -> None:
        self.x = x.detach()  # x itself may lead back to here
        self.version = x._version

    def get(self) -> Tensor:
        if self.x._version != self.version:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: [{self.x.type()} {list(self.x.shape)}] is at version "
                f"{self.x._version}; expected version {self.version} instead"
            )
        return self.x


class Outside:
    """A tensor as hooks outside of ours keep it."""

    def __init__(self, x: Tensor, hooks: Hooks) -> None:
        pack, self.unpack = hooks
        self.kept = pack(x)

    def get(self) -> Tensor:
        return self.unpack(self.kept)


class Spikes:
    """A tensor of spikes, whose memory, from one of its numbers on, is kept as bytes."""

    def __init__(self, kept: Kept, x: Tensor, begins: int = 0) -> None:
        self.kept, self.dtype, self.shape, self.strides = kept, x.dtype, x.shape, x.stride()
        first, stop = reach(x)
        self.place, self.lead = slice(first - begins, stop - begins), x.storage_offset() - first

    def get(self) -> Tensor:
        seen = self.kept.get()[self.place]
        return seen.to(self.dtype).as_strided(self.shape, self.strides, self.lead)


def plain(x: Tensor) -> bool:
    """Whether x is numbers in memory, as they are, whose writes are counted."""
    strided = type(x) in PLAIN and x.layout == torch.strided and not x.is_nested
    return strided and x.is_floating_point() and not x.is_neg() and not x.is_inference()


def memory(x: Tensor) -> tuple[int, int, torch.dtype]:
    """(which it is, its bytes, what it holds)."""
    found = x.untyped_storage()
    return found._cdata, found.nbytes(), x.dtype


def fills(x: Tensor) -> bool:
    """Whether x covers its memory, each number once."""
    room = 1
    for n, stride in sorted(zip(x.shape, x.stride(), strict=True), key=lambda a: a[1]):
        if n != 1 and stride != room:
            return False
        room *= n
    return x.storage_offset() == 0 and room * x.itemsize == x.untyped_storage().nbytes() > 0


def reach(x: Tensor) -> tuple[int, int]:
    """From where to where x reaches in its memory, in numbers, with what leads to its start."""
    start = int(x.storage_offset())
    far = sum((n - 1) * stride for n, stride in zip(x.shape, x.stride(), strict=True))
    return start - start % LEAD, start + far + 1


def to_bytes(x: Tensor, first: int, stop: int) -> Tensor:
    """uint8 of the memory of x, from one number to another."""
    return x.detach().as_strided((stop - first,), (1,), first).to(torch.uint8)
