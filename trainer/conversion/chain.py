"""An ANN as a chain of layers that can be converted, or the reason why it cannot.

Norms are folded into the synapse before them, dropout is left out: what is converted is the ANN in
eval mode. The ANN itself is left as it is.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ...core.errors import UnsupportedNode

Synapse = nn.Linear | nn.Conv2d
Norm = nn.BatchNorm1d | nn.BatchNorm2d
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
NOTHING = (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d)
KINDS = (nn.Linear, nn.Conv2d, nn.ReLU, nn.AvgPool2d, nn.Flatten, *NORMS, *NOTHING)  # and no heirs
SOFTMAX = "it changes no decision; leave it out, and take the loss from the logits"
WHY: tuple[tuple[type[nn.Module], str], ...] = (
    (
        nn.MaxPool2d,
        "the maximum of rates is the rate of no one spike train, and the OR of spikes fires more "
        "often than the strongest of them; train the ANN with AvgPool2d, or with a stride of 2",
    ),
    (nn.Softmax, SOFTMAX),
    (nn.LogSoftmax, SOFTMAX),
)
ONLY_RELU = (
    "a rate of spikes follows a ReLU and no other function; train the ANN with torch.nn's "
    f"{', '.join(kind.__name__ for kind in KINDS)}"
)


@dataclass(frozen=True)
class Link:
    """One layer under its name in the chain, where a nested name has '_' for a dot."""

    name: str
    layer: nn.Module

    @property
    def fires(self) -> bool:
        """Whether it becomes a population."""
        return isinstance(self.layer, nn.ReLU)


def chain(ann: nn.Module) -> list[Link]:
    """The ANN's layers in order, as copies. UnsupportedNode names what cannot be converted."""
    links: list[Link] = []
    for name, layer in leaves(ann):
        refuse(name, layer)
        if isinstance(layer, NOTHING):
            continue
        if isinstance(layer, NORMS):
            fold(name, layer, links)
            continue
        links.append(Link(name.replace(".", "_"), copy.deepcopy(layer).eval()))
    whole(links)
    return links


def leaves(ann: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Layers of a Sequential, and of those inside of it."""
    if type(ann) is not nn.Sequential:
        raise UnsupportedNode(
            f"the ANN is a {type(ann).__name__}; an nn.Sequential can be converted, which says the "
            "order of its layers"
        )
    for name, layer in ann.named_children():
        full = f"{prefix}.{name}" if prefix else name
        if type(layer) is nn.Sequential:
            yield from leaves(layer, full)
        else:
            yield full, layer


def refuse(name: str, layer: nn.Module) -> None:
    """UnsupportedNode for a layer that has no counterpart in rates."""
    if hasattr(layer, "parametrizations"):
        raise UnsupportedNode(
            f"'{name}' has a weight that is computed; make it a plain one with "
            "torch.nn.utils.parametrize.remove_parametrizations"
        )
    if type(layer) not in KINDS:
        why = next((text for kind, text in WHY if isinstance(layer, kind)), ONLY_RELU)
        raise UnsupportedNode(
            f"'{name}' is a {type(layer).__name__}, which cannot be converted: {why}"
        )
    if isinstance(layer, nn.Conv2d) and layer.padding_mode != "zeros":
        raise UnsupportedNode(f"'{name}' pads with {layer.padding_mode!r}; only zeros can be")


def fold(name: str, norm: Norm, links: list[Link]) -> None:
    """The norm into the synapse right before it: W g / sqrt(var + eps), and the bias to match."""
    before = links[-1].layer if links else None
    if not isinstance(before, Synapse):
        raise UnsupportedNode(
            f"'{name}' is a {type(norm).__name__} that does not come right behind a Conv2d or "
            "Linear, into which it could be folded; move it there"
        )
    if norm.running_mean is None or norm.running_var is None:
        raise UnsupportedNode(
            f"'{name}' keeps no running statistics; train with track_running_stats=True"
        )
    with torch.no_grad():
        mean, var = norm.running_mean.double(), norm.running_var.double()
        gain, shift = 1 / (var + norm.eps).sqrt(), torch.zeros_like(mean)
        if norm.affine:
            gain, shift = gain * norm.weight.double(), norm.bias.double()
        bias = torch.zeros_like(mean) if before.bias is None else before.bias.double()
        weight = before.weight.double() * gain.view(-1, *(1,) * (before.weight.ndim - 1))
        dtype = before.weight.dtype
        before.weight.copy_(weight.to(dtype))
        before.bias = nn.Parameter(((bias - mean) * gain + shift).to(dtype))


def whole(links: list[Link]) -> None:
    """UnsupportedNode where a ReLU has no synapse of its own, or nothing would spike."""
    fresh = False
    for link in links:
        if link.fires and not fresh:
            raise UnsupportedNode(
                f"'{link.name}' is a ReLU with no Conv2d or Linear between it and the ReLU before "
                "it, or the input; leave it out"
            )
        fresh = isinstance(link.layer, Synapse) or (fresh and not link.fires)
    if not any(link.fires for link in links):
        raise UnsupportedNode("the ANN has no ReLU, so that nothing in it would spike")
