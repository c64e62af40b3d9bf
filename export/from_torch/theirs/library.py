"""Which library a module comes from, told from its class alone."""

from torch import nn

from ....core.errors import UnsupportedNode

LIBRARIES = {"snntorch": "snnTorch", "spikingjelly": "SpikingJelly", "norse": "Norse"}
PARTS = (  # where their neurons and layers are; what lies elsewhere are whole models of theirs
    "snntorch._neurons",
    "snntorch._layers",
    "spikingjelly.activation_based.neuron",
    "spikingjelly.activation_based.layer",
    "norse.torch.module",
)


def home(layer: nn.Module) -> str:
    """The library whose class this is; '' for anything else, classes derived from theirs too."""
    return type(layer).__module__.partition(".")[0]


def kind(layer: nn.Module) -> str:
    """'snntorch.Leaky' for a class of theirs; '' for anything else."""
    return f"{home(layer)}.{type(layer).__name__}" if home(layer) in LIBRARIES else ""


def part(layer: nn.Module) -> bool:
    """Whether it is a neuron or layer of theirs, or is derived from one."""
    return any(base.__module__.startswith(PARTS) for base in type(layer).__mro__)


def library_of(model: nn.Module) -> str | None:
    """'snntorch', 'spikingjelly' or 'norse' if the model holds neurons or layers of theirs."""
    found = {
        base.__module__.partition(".")[0]
        for layer in model.modules()
        for base in type(layer).__mro__
        if base.__module__.startswith(PARTS)
    }
    if len(found) > 1:
        raise UnsupportedNode(
            f"holds modules of {' and '.join(LIBRARIES[name] for name in sorted(found))}; a model "
            "of one library can be lowered"
        )
    return next(iter(found), None)
