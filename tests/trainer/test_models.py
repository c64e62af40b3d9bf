"""The presets build what they say, and can be traced."""

from typing import Any

import pytest
import torch
from torch import fx, nn

from spikeport.core.config import parse
from spikeport.core.errors import ConfigError
from spikeport.core.settings import ConvNet, TrainConfig
from spikeport.trainer.layers import Recurrent, held
from spikeport.trainer.models import build
from spikeport.trainer.models.blocks import NEURONS, neuron
from spikeport.trainer.neurons import Neuron
from spikeport.trainer.spiking import heard_in_time
from spikeport.trainer.surrogate import ATan

SETTINGS = [
    [],
    ["model.pool=max", "model.norm=tdbn", "model.neuron.kind=if", "model.dropout=0.2"],
    ["model.pool=none", "model.norm=none", "model.neuron.reset=subtract", "model.channels=[3]"],
    ["model.neuron.kind=cuba", "model.neuron.learn=['decay', 'decay_syn', 'threshold']"],
    ["model.name=recurrent", "model.hidden=[12, 6]"],
    ["model.name=recurrent", "model.neuron.kind=cuba", "model.norm=tdbn"],
    ["model.neuron.surrogate.kind=atan", "model.neuron.detach_reset=false"],
    ["model.neuron.surrogate.kind=superspike", "model.neuron.surrogate.width=0.1"],
    ["model.neuron.kind=spikingjelly", "model.neuron.tau=3.0", "model.neuron.v_reset=-0.1"],
    ["model.neuron.kind=plif", "model.neuron.decay_input=false"],
    ["model.neuron={kind='zenke', learn=['decay', 'threshold']}", "model.channels=[4]"],
    ["model.name=recurrent", "model.neuron={kind='zenke', threshold=0.2}", "model.hidden=[12]"],
    ["model.neuron={kind='soft', test_first=true, learn=['decay']}", "model.neuron.decay=0.9"],
    ["model.neuron={kind='srm', threshold=0.5, tau_s=2.0}", "model.channels=[4]"],
    ["model.name=recurrent", "model.neuron={kind='srm', threshold=0.3, kernel='alpha'}"],
    ["model.neuron.surrogate.kind=sigmoid", "model.neuron.compare='>='"],
    ["model.neuron.surrogate.kind=exponential", "model.neuron.surrogate.width=0.5"],
]


def settings(overrides: list[str]) -> TrainConfig:
    return parse("", overrides=overrides)


@pytest.mark.parametrize("overrides", SETTINGS, ids=str)
def test_every_preset_runs_and_learns(overrides: list[str]) -> None:
    torch.manual_seed(0)
    model = build(settings(overrides).model, (1, 8, 8), 5)
    outputs = model(held(torch.rand(6, 1, 8, 8), 4))
    assert outputs.shape == (4, 6, 5) and model.readout == "mean_t"
    outputs.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
    assert any(bool(p.grad.any()) for p in model.parameters() if p.grad is not None)


class Tracer(fx.Tracer):
    """Our modules as leaves."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Neuron | Recurrent) or not list(m.children())


@pytest.mark.parametrize("overrides", SETTINGS, ids=str)
def test_every_preset_can_be_traced(overrides: list[str]) -> None:
    model = build(settings(overrides).model, (1, 8, 8), 5).eval()
    graph = fx.GraphModule(model, Tracer().trace(model))
    assert {n.op for n in graph.graph.nodes} == {"placeholder", "call_module", "output"}
    x = torch.rand(3, 2, 1, 8, 8)
    assert torch.equal(graph(x), model(x))


def test_the_layers_names_say_what_they_are() -> None:
    model = build(ConvNet(channels=(4, 8)), (1, 28, 28), 10)
    names = "conv1 norm1 lif1 pool1 conv2 norm2 lif2 pool2 flatten classifier"
    assert [name for name, _ in model.named_children()] == names.split()
    layers: dict[str, Any] = dict(model.named_children())
    assert layers["conv1"].bias is None
    assert layers["classifier"].in_features == 8 * 7 * 7


def test_every_setting_reaches_the_neurons() -> None:
    wanted = {
        "threshold": 0.6,
        "decay": 0.7,
        "decay_syn": 0.4,
        "v_reset": -0.2,
        "detach_reset": False,
        "reset": "value",
        "surrogate": ATan(0.3, 2.0),
    }
    text = """[model]
    norm = "tdbn"
    [model.neuron]
    kind = "cuba"
    threshold = 0.6
    decay = 0.7
    decay_syn = 0.4
    v_reset = -0.2
    detach_reset = false
    surrogate = {kind = "atan", width = 0.3, scale = 2.0}
    """
    layers: dict[str, Any] = dict(build(parse(text).model, (1, 8, 8), 2).named_children())
    for n in (1, 2):
        neuron = layers[f"cuba{n}"]
        assert {name: getattr(neuron, name) for name in wanted} == wanted
        assert layers[f"norm{n}"].factor == 0.6
    learned = settings(["model.neuron.learn=['threshold']", "model.neuron.reset=subtract"])
    neuron = build(learned.model, (1, 8, 8), 2).get_submodule("lif2")
    assert [name for name, _ in neuron.named_parameters()] == ["raw_threshold"]
    assert neuron.reset == "subtract"


@pytest.mark.parametrize("kind", NEURONS, ids=lambda kind: kind.__name__)
def test_the_settings_defaults_are_the_neurons(kind: Any) -> None:
    ours, theirs = neuron(kind()), NEURONS[kind]()
    assert repr(ours) == repr(theirs)
    for name, value in vars(theirs).items():
        if name not in ("surrogate", "training") and not name.startswith("_"):
            assert getattr(ours, name) == value, name
    assert list(ours.state_dict()) == list(theirs.state_dict())


def test_a_chain_too_late_for_the_steps() -> None:
    late = ["model.neuron.kind=zenke", "model.neuron.threshold=0.1"]
    model = build(settings(late).model, (1, 8, 8), 5)
    heard_in_time(model, 5)
    with pytest.raises(ConfigError, match="steps is 4, and .* answer 4 steps late.*at least 5"):
        heard_in_time(model, 4)
    constant = model.eval()(held(torch.rand(2, 1, 8, 8), 4))
    assert torch.equal(constant[0], constant[3])  # nothing but the bias was heard
    heard_in_time(build(settings([]).model, (1, 8, 8), 5), 1)


@pytest.mark.parametrize(
    "overrides, shape, words",
    [
        ([], (64,), r"takes samples \[C, H, W\], the data has \[64\]"),
        (["model.channels=[4, 4, 4, 4]"], (1, 8, 8), "leaves nothing of 8 x 8"),
    ],
)
def test_what_does_not_fit(overrides: list[str], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(settings(overrides).model, shape, 10)


def test_an_unknown_family() -> None:
    class Other(ConvNet):
        name: Any = "other"

    with pytest.raises(ConfigError, match="'other'; there are conv, recurrent"):
        build(Other(), (1, 8, 8), 10)
