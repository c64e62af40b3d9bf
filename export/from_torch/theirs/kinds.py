"""All kinds of neuron of other libraries that can be lowered, in one table."""

from torch import nn

from ....core.errors import UnsupportedNode
from . import norse, snntorch, spikingjelly
from .library import LIBRARIES, home, kind, part
from .population import Made

KINDS: dict[str, Made] = {**snntorch.KINDS, **spikingjelly.KINDS, **norse.KINDS}
EACH_STEP = {  # containers whose layers see one step at a time, out of a sequence
    *("spikingjelly.SeqToANNContainer", "spikingjelly.MultiStepContainer", "norse.Lift"),
}


def population(layer: nn.Module) -> Made | None:
    """How a population is lowered; None if it is none of theirs."""
    return KINDS.get(kind(layer))


def leaf(layer: nn.Module) -> bool:
    """Whether it is taken as one: a neuron or layer of theirs, but no container of layers."""
    chain = any(base.__name__ == "SequentialState" for base in type(layer).__mro__)
    return part(layer) and not chain and kind(layer) not in EACH_STEP


def refuse(layer: nn.Module) -> None:
    """UnsupportedNode for a module of theirs that no node states exactly, by name."""
    if not leaf(layer) or kind(layer) in KINDS:
        return
    if home(layer) not in LIBRARIES:
        base = next(b for b in type(layer).__mro__ if b.__module__.partition(".")[0] in LIBRARIES)
        raise UnsupportedNode(
            f"is a {type(layer).__name__}, derived from {base.__name__} with code of its own; "
            "only the library's own classes can be lowered"
        )
    if home(layer) == "spikingjelly":
        return spikingjelly.refuse(layer)
    known = [name.partition(".")[2] for name in KINDS if name.startswith(home(layer))]
    raise UnsupportedNode(
        f"is {LIBRARIES[home(layer)]}'s {type(layer).__name__}, which no node states exactly; "
        f"there are {', '.join(known)}"
    )


def opened(layer: nn.Module) -> list[nn.Module] | None:
    """The layers of a container that runs them step by step; None if it is none."""
    if kind(layer) not in EACH_STEP:
        return None
    return list(layer.children())


def over_time(layer: nn.Module) -> bool:
    """Whether a population takes a sequence [T, B, *shape], not one step [B, *shape]."""
    if home(layer) == "norse":
        return not type(layer).__name__.endswith("Cell")
    return getattr(layer, "step_mode", "s") == "m"
