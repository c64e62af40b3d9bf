"""A small net for every method: what the table of deployment (`spikeport methods`) measures.

Random weights that make it fire, moments of its own from a few batches of digits, the last one
of which is the sample that engines are compared on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core import config
from . import data
from .conversion import convert, hybrid, in_tandem
from .encoders.choice import ENCODERS
from .evaluate import run_recorded
from .joins import JOINS
from .layers import AvgPool2d, Conv2d, Flatten, Linear, MaxPool2d, SumPool2d
from .models import FAMILIES, build
from .neurons import LIF, Neuron
from .neurons.kinds import KINDS
from .norms import NORMS
from .readouts import READOUTS

STEPS, SAMPLES, BATCHES = 4, 6, 5
LONG = 12  # steps of the neurons' own nets: some fire late
RATE, TRIES = 0.03, 12  # spikes a neuron and step; how often weights may grow
ENCODED = {"latency": 'data.encoder={kind = "latency", tau = 2.0}'}  # within STEPS
WIDE = 5  # inputs of a single-spike layer in KINDS
SMALL = {  # of a family, so that the table takes minutes
    "conv": ["model.channels=[4, 5]"],
    "recurrent": ["model.hidden=[12]"],
    "feedforward": ["model.hidden=[12]"],
    "chain": ['model.layers=["4c3", "ap2", "5c3", "ap2"]'],
    "resnet": [
        "model.stem_channels=4",
        "model.channels=[4, 6]",
        "model.blocks=[1, 1]",
        "model.strides=[1, 2]",
    ],
    "sew": ["model.channels=4", "model.stages=1", "model.blocks=2"],  # one hears the other's sum
    "convmixer": ["model.channels=4", "model.depth=1"],
    "deep": ["model.channels=[4]", "model.blocks=2"],
}


VARIANTS = (  # of families, beside their defaults
    ("sew", "pool=avg"),
    ("sew", "pool=avg", "join=and"),
    ("sew", "pool=avg", "join=iand"),
    ("resnet", "block=sew"),
    ("resnet", "block=sew", "join=iand"),
    ("convmixer", "join=iand"),
    ("deep", "order=post"),
)
CONVERSIONS: dict[str, Callable[[nn.Module, data.DataSet], nn.Module]] = {
    "max": lambda ann, found: convert(ann, found, "max"),
    "percentile": lambda ann, found: convert(ann, found, "percentile"),
    "balance": lambda ann, found: convert(ann, found, "balance", steps=LONG),
    "percentile, reset='value'": lambda ann, found: convert(ann, found, reset="value"),
    "tandem": lambda ann, found: in_tandem(convert(ann, found)),
    "hybrid": lambda ann, found: hybrid(ann, found, steps=LONG),
    "hybrid, test_first=False": lambda ann, found: hybrid(ann, found, steps=LONG, test_first=False),
}


@dataclass(frozen=True)
class Made:
    """A model in eval mode, what it hears [T, B, *shape] and whether that is spikes."""

    model: nn.Module
    x: NDArray[np.float32]
    content: str = "analogue"


@dataclass(frozen=True)
class Specimen:
    """A method by group and name, and how its net is made."""

    group: str
    name: str
    make: Callable[[], Made]


def specimens() -> Iterator[Specimen]:
    """All of them, in the order of the table."""
    for kind in KINDS:
        yield Specimen("neuron", kind.call, lambda make=kind.make: of_neuron(make))  # type: ignore[misc]
    for name in NORMS:
        given = [f"model.norm={name}", f"model.norm_steps={STEPS if name == 'bntt' else 0}"]
        given += ['model.neuron={kind = "lif", threshold = 0.7}'] if name == "tdbn" else []
        yield Specimen("norm", name, lambda given=given: of_settings(given))  # type: ignore[misc]
    for name in READOUTS:
        given = [f"model.readout={name}"]
        yield Specimen("readout", name, lambda given=given: of_settings(given))  # type: ignore[misc]
    for name in ENCODERS:
        given = [ENCODED.get(name, f"data.encoder={name}")]
        yield Specimen("encoder", name, lambda given=given: of_settings(given))  # type: ignore[misc]
    for name in JOINS:
        yield Specimen("join", name, lambda name=name: of_layers(Block(name), Block(name)))  # type: ignore[misc]
    yield Specimen("join", "add, then a max-pool", lambda: of_layers(Block("add"), MaxPool2d(2)))
    yield Specimen("join", "real-valued stream", lambda: of_layers(Stream(), Stream()))
    for name, pool in (("avg", AvgPool2d), ("sum", SumPool2d), ("max", MaxPool2d)):
        yield Specimen("pool", name, lambda pool=pool: of_layers(pool(2)))  # type: ignore[misc]
    for name in FAMILIES:
        given = [f"model.name={name}"]
        yield Specimen("family", name, lambda given=given: of_settings(given))  # type: ignore[misc]
    for family, *others in VARIANTS:
        given = [f"model.name={family}", *(f"model.{other}" for other in others)]
        name = ", ".join([family, *others])
        yield Specimen("family", name, lambda given=given: of_settings(given))  # type: ignore[misc]
    for name, way in CONVERSIONS.items():
        yield Specimen("conversion", name, lambda way=way: of_ann(way))  # type: ignore[misc]


def of_settings(given: Sequence[str]) -> Made:
    """A net that settings name; 'conv' unless they say otherwise."""
    family = next((g.partition("=")[2] for g in given if g.startswith("model.name=")), "conv")
    steps = 8 if "data.encoder=current" in given else STEPS
    given = [*given, *SMALL.get(family, ()), f"data.steps={steps}"]
    if "data.encoder=current" in given:  # a column a step leaves no image
        family, given = "recurrent", [g for g in given if not g.startswith("model.")]
        given += SMALL["recurrent"]
    settings = config.parse(f'[model]\nname = "{family}"\n', overrides=given)
    found = data.encoded(data.load("digits"), settings.data.encoder)
    torch.manual_seed(0)
    model = build(settings.model, found.shape, found.classes)
    return lively(model, found, steps)


def of_ann(way: Callable[[nn.Module, data.DataSet], nn.Module]) -> Made:
    """An ANN of every layer that can be converted, untrained, gone over to spikes."""
    torch.manual_seed(0)
    layers = (
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 12),
        nn.ReLU(),
        nn.Linear(12, 10),
    )
    digits = data.load("digits")
    model = way(nn.Sequential(*layers).eval(), digits)
    return Made(model.eval(), digits.take(digits.indices("train")[:SAMPLES], LONG)[0])


def of_neuron(make: Callable[[], nn.Module]) -> Made:
    """linear - the neurons - linear - LIF - linear."""
    torch.manual_seed(0)
    made = make()
    out = 12 if isinstance(made, Neuron) else 4
    first = Linear(64, 12 if isinstance(made, Neuron) else WIDE)
    model = nn.Sequential(Flatten(), first, made, Linear(out, 9), LIF(), Linear(9, 10))
    return lively(model, data.load("digits"), LONG)


def of_layers(*layers: nn.Module) -> Made:
    """conv - LIF - the layers - conv - LIF - linear; a stream starts before the neurons."""
    torch.manual_seed(0)
    start = () if isinstance(layers[0], Stream) else (LIF(),)
    middle = (LIF(),) if isinstance(layers[0], Stream) else ()
    head = nn.Sequential(Conv2d(1, 4, 3, padding=1), *start, *layers, *middle)
    body = nn.Sequential(*head, Conv2d(4, 3, 3), LIF(threshold=2.0), Flatten())
    size = int(body(torch.zeros(1, 1, 1, 8, 8)).shape[2])
    model = nn.Sequential(*body, Linear(size, 10))
    return lively(model, data.load("digits"), STEPS)


class Block(nn.Module):
    """conv - neurons, joined with what came in."""

    def __init__(self, join: str) -> None:
        super().__init__()
        self.conv = Conv2d(4, 4, 3, padding=1)
        self.lif = LIF(threshold=0.5)
        self.join = JOINS[join]()

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.join(self.lif(self.conv(x)), x)
        return joined


class Stream(nn.Module):
    """h + conv(neurons(h)): what goes on is no spike."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = LIF(threshold=0.5)
        self.conv = Conv2d(4, 4, 3, padding=1)
        self.join = JOINS["add"]()

    def forward(self, h: Tensor) -> Tensor:
        joined: Tensor = self.join(self.conv(self.lif(h)), h)
        return joined


@torch.no_grad()
def lively(model: nn.Module, found: data.DataSet, steps: int) -> Made:
    """The model with weights so large that every population fires, and moments from some
    batches; sample: the last of them."""
    batches = np.split(found.indices("train")[: BATCHES * SAMPLES], BATCHES)
    heard = [found.take(indices, steps)[0] for indices in batches]
    for key, p in model.named_parameters():
        if "norm" in key:
            p.add_(0.3 * torch.rand_like(p))
    for _ in range(TRIES):
        for x in heard if any(True for _ in model.buffers()) else ():
            model.train()(torch.tensor(x))
        _, spikes = run_recorded(model, heard[-1])
        if all(fired.mean() > RATE for fired in spikes.values()):
            break
        for key, p in model.named_parameters():
            if p.ndim > 1 and "norm" not in key:
                p.mul_(1.4)
    return Made(model.double().eval(), heard[-1], found.content)
