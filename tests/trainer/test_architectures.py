"""The papers' architectures: their sizes, small ones of every family, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.core import interpreter
from spikeport.core.config import parse
from spikeport.core.errors import ConfigError, PassError
from spikeport.core.schedule import compile
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.export.recipes import PLAIN
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.joins import JOINS
from spikeport.trainer.models import FAMILIES, SpikingNet, build
from spikeport.trainer.models.presets import names, preset
from spikeport.trainer.models.residual_blocks import PreBlock, SewBlock
from spikeport.trainer.models.table import table
from spikeport.trainer.neurons import IF
from spikeport.trainer.spiking import heard_in_time

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"
COUNTED = {  # what the vectors call it
    "thesis-scnn": "thesis_SCNN_fm10_convbias_False",
    "thesis-sew-32": "thesis_SEW_32",
    "thesis-sew-64": "thesis_SEW_64",
    "convmixer-256-8": "convmixer_256_8_k9_p1_convbias",
    "resnet-19": "resnet19_stem64_10",
    "resnet-19-128": "resnet19_stem128_10",
    "vggsnn": "vggsnn_dvs_48x48",
    "snn-5": "snn5_cifar_32x32_convbias_bn",
    "spiking-resnet-34": "resnet34_w64 (SEW / Spiking-ResNet-34)",
    "sew-resnet-34": "resnet34_w64 (SEW / Spiking-ResNet-34)",
    "spiking-resnet-34-large": "resnet34_w128 (tdBN 'L', survey says 85M)",
}
MACS = {  # million per step, as the papers' layers give them
    "thesis-scnn": 53,
    "thesis-sew-32": 51,
    "thesis-sew-64": 203,
    "convmixer-256-8": 708,
    "resnet-19": 2216,
    "vggsnn": 1362,
    "snn-5": 150,
    "psp-nmnist": 63,
    "psp-fmnist": 251,
    "psp-fmnist-strided": 26,
}
SMALL = {
    "scnn": "name='conv'\nchannels=[4,4]\npool='max'",
    "sew": "name='sew'\nchannels=4\nstages=2\npool='avg'",
    "sew-iand": "name='sew'\nchannels=4\nstages=2\njoin='iand'",
    "sew-and": "name='sew'\nchannels=4\nstages=2\njoin='and'\nzero_start=true",
    "convmixer": "name='convmixer'\nchannels=4\ndepth=2\nkernel=3\npatch=2",
    "resnet": "name='resnet'\nstem_channels=4\nchannels=[4,8]\nblocks=[1,1]\nstrides=[1,2]\n"
    "hidden=6",
    "resnet-tdbn": "name='resnet'\nstem_channels=4\nchannels=[4]\nblocks=[2]\nstrides=[1]\n"
    "hidden=0\nnorm='tdbn'\nnorm_shortcut=true",
    "resnet-7x7": "name='resnet'\nstem='7x7'\nstem_channels=4\nchannels=[4]\nblocks=[1]\n"
    "strides=[1]\nhidden=6\nnorm_hidden=true",
    "sew-resnet": "name='resnet'\nblock='sew'\nstem_channels=4\nchannels=[4,6]\nblocks=[1,1]\n"
    "strides=[1,2]\nhidden=0",
    "chain": "name='chain'\nlayers=['4c3','ap2','6c3s2','fc8','dp0.5']\nbias='always'",
    "psp": "name='chain'\nlayers=['4c3s2','6c3','6c3']\nnorm='psp-bn'\nbias='never'",
    "pre": "name='deep'\nchannels=[4,6]\nblocks=2\nnorm='psp-bn'",
    "post": "name='deep'\norder='post'\nchannels=[4,6]\nblocks=2",
    "feedforward": "name='feedforward'\nhidden=[8]\nstart='fluctuation'\nnorm='none'",
    "recurrent": "name='recurrent'\nhidden=[8]",
}


def small(text: str, classes: int = 3, shape: tuple[int, ...] = (2, 8, 8)) -> SpikingNet:
    """A model of a [model] table, its weights larger than torch's, so that all layers fire."""
    torch.manual_seed(0)
    return build(parse(f"[model]\n{text}").model, shape, classes)


@pytest.mark.parametrize("name", COUNTED)
def test_parameters_are_the_papers(vector: Any, name: str) -> None:
    _, expected = vector("parameter_counts")
    with torch.device("meta"):
        found = preset(name)
        model = build(found.model, found.input, found.classes)
    assert table(model, found.input).parameters == expected[COUNTED[name]]


def test_a_hundred_classes_and_biases(vector: Any) -> None:
    _, expected = vector("parameter_counts")
    with torch.device("meta"):
        resnet = build(preset("resnet-19").model, (3, 32, 32), 100)
        biased = build(preset("thesis-scnn", ("model.bias=always",)).model, (3, 32, 32), 10)
    assert sum(p.numel() for p in resnet.parameters()) == expected["resnet19_stem64_100"]
    counted = sum(p.numel() for p in biased.parameters())
    assert counted == expected["thesis_SCNN_fm10_convbias_True"]


@pytest.mark.parametrize("name", ["nmnist", "fmnist"])
def test_convolutions_of_the_psp_nets(vector: Any, name: str) -> None:
    _, expected = vector("parameter_counts")
    found = preset(f"psp-{name}")
    with torch.device("meta"):
        model = build(found.model, found.input, found.classes)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    counted = [sum(m.weight.numel() for m in convolutions), len(convolutions)]
    assert counted == expected[f"psp_plain_{name}_convs (bias-free) [params, n_conv]"]


@pytest.mark.parametrize("name", ["resnet-106-pre", "resnet-106-post"])
def test_106_layers(vector: Any, name: str) -> None:
    _, expected = vector("parameter_counts")
    with torch.device("meta"):
        model = build(preset(name).model, (1, 34, 34), 10)
    deep = [m for n, m in model.named_modules() if isinstance(m, nn.Conv2d) and "shortcut" not in n]
    blocks = [m for n, m in model.named_children() if n.startswith("block")]
    sums = expected["resnet106_arithmetic"]
    assert (len(deep) + 1, len(blocks)) == (sums["depth"], sums["basic_blocks"])
    assert len(blocks) // 2 == sums["blocks_if_2_stages"]


@pytest.mark.parametrize("name", MACS)
def test_macs_per_step(name: str) -> None:
    with torch.device("meta"):
        found = preset(name)
        model = build(found.model, found.input, found.classes)
    assert round(table(model, found.input).macs / 1e6) == MACS[name]


def test_every_family_is_tried_and_named() -> None:
    kinds = {parse(f"[model]\n{text}").model.name for text in SMALL.values()}
    assert kinds == set(FAMILIES)


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_learn(name: str) -> None:
    model = small(SMALL[name])
    out = model(torch.rand(4, 2, 2, 8, 8) * 4)
    assert out.shape == (4, 2, 3)
    out.square().sum().backward()
    for weight, values in model.named_parameters():
        assert values.grad is not None and bool(torch.isfinite(values.grad).all()), weight


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_are_exported(name: str) -> None:
    model = small(SMALL[name])
    model(torch.rand(4, 2, 2, 8, 8) * 4)  # moments of the norms
    model.eval()
    network = lower(model, (2, 8, 8))
    x = np.random.default_rng(1).random((5, 2, 2, 8, 8)) * 4
    ours = interpreter.run(compile(network), {network.inputs[0]: x}, ("all",))
    outputs, theirs = run_recorded(model, x)
    assert sum(int(spikes.sum()) for spikes in theirs.values()) > 0
    for layer, spikes in theirs.items():
        assert (ours.spikes[layer] == spikes).all(), layer
    np.testing.assert_allclose(ours.outputs["output"], outputs, rtol=1e-9, atol=1e-9)


def test_max_pool_of_sums_is_refused() -> None:
    """Under ADD more than 0 and 1 arrive at the pool, where an OR would be wrong."""
    model = small("name='sew'\nchannels=4\nstages=1\nblocks=1").eval()
    with pytest.raises(PassError, match="max-pool 'pool1' hears .* not one population"):
        run_passes(lower(model, (2, 8, 8)), PLAIN)


def test_sew_functions(vector: Any) -> None:
    given, expected = vector("sew_functions")
    a, s = torch.tensor(given["A"]), torch.tensor(given["S"])
    for name, join in JOINS.items():
        assert join()(a, s).tolist() == expected[name.upper()], name


@pytest.mark.parametrize("name", JOINS)
def test_blocks_that_begin_as_the_identity(vector: Any, name: str) -> None:
    given, expected = vector("sew_zero_init_identity")
    text = f"name='sew'\nchannels=1\nstages=1\nblocks=1\njoin='{name}'\nzero_start=true\n"
    model = small(text + "neuron={kind='if', compare='>='}", shape=(1, 2, 2))
    x = torch.tensor(given["S"], dtype=torch.float32).view(1, 1, 1, 2, 2)
    wanted = expected["AND_with_beta1" if name == "and" else name.upper()]
    block = model.eval().block1_1
    assert isinstance(block, SewBlock) and block(x).flatten().tolist() == wanted


def test_values_grow_by_one_a_block(vector: Any) -> None:
    given, expected = vector("sew_add_max_value_per_block")
    count = max(given["k"])
    net = small(f"name='sew'\nchannels=1\nstages=1\nblocks={count}", shape=(1, 4, 4))
    spikes = torch.ones(1, 1, 1, 4, 4)
    found = [spikes.max().item()]
    for block in net.children():
        if isinstance(block, SewBlock):
            for part in ("first", "second"):
                setattr(block, part, nn.Identity())
            for part in ("neuron1", "neuron2"):
                setattr(block, part, IF(threshold=0.5))
            spikes = block(spikes)
            found.append(spikes.max().item())
    assert found == expected["max_value"]


def test_the_stream_adds_up(vector: Any) -> None:
    given, expected = vector("preact_residual_stream")
    net = small("name='deep'\nchannels=[1]\nblocks=2", shape=(1, 1, 2))
    h = torch.tensor(given["h0"], dtype=torch.float64).view(1, 1, 1, 1, 2)
    for n, block in enumerate((net.block1_1, net.block1_2), 1):
        branch = torch.tensor(given[f"G{n}"], dtype=torch.float64).view(1, 1, 1, 1, 2)
        assert isinstance(block, PreBlock)
        setattr(block, "second", Constant(branch))  # noqa: B010 (another type)
        setattr(block, "first", nn.Identity())  # noqa: B010 (another type)
        h = block(h)
        assert h.flatten().tolist() == expected[f"h{n}"]


class Constant(nn.Module):
    """The same, whatever comes."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.value


def test_neurons_that_answer_late_are_heard_through_shortcuts() -> None:
    pre = small("name='deep'\nchannels=[2]\nblocks=20\nneuron={kind='srm'}")
    heard_in_time(pre, 2)
    post = small("name='deep'\norder='post'\nchannels=[2]\nblocks=20\nneuron={kind='srm'}")
    with pytest.raises(ConfigError, match="answer 21 steps late"):
        heard_in_time(post, 21)
    heard_in_time(post, 22)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("name='sew'\nstages=4", (1, 8, 8), "16 times smaller"),
        ("name='conv'\nchannels=[2,2,2,2]", (1, 8, 8), "16 times smaller"),
        ("name='convmixer'\npatch=9", (1, 8, 8), "leaves nothing of 8 x 8"),
        ("name='resnet'", (64,), r"takes samples \[C, H, W\]"),
        ("name='chain'\nlayers=['fc4','4c3']", (1, 8, 8), "'4c3' behind a linear layer"),
        ("name='chain'\nlayers=['4c3','ap9']", (1, 8, 8), "'ap9' leaves nothing of 8 x 8"),
        ("name='deep'\nnorm='neunorm'", (1, 8, 8), "has no place for it"),
        ("name='feedforward'\nstart='fluctuation'\nneuron={kind='srm'}", (4,), "knows no response"),
        ("name='conv'\nnorm='wn'\nstart='kaiming'", (1, 8, 8), "has a start of its own"),
    ],
)
def test_what_does_not_fit(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(text, shape=shape)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name='chain'\nlayers=['4k3']", "layers"),
        ("name='chain'\nlayers=[]", "layers"),
        *(
            (f"name='chain'\nlayers=['{t}']", "layers")
            for t in ("4c0", "0c3", "4c3s0", "ap0", "fc0")
        ),
        ("name='resnet'\nblocks=[1]", "one of each for every stage"),
        ("name='convmixer'\nkernel=4", "odd"),
        ("name='sew'\njoin='xor'", "join"),
    ],
)
def test_settings_that_say_nothing(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(f"[model]\n{text}")


def asked(*words: str) -> "subprocess.CompletedProcess[str]":
    """The command line, as a process."""
    command = [sys.executable, "-m", "spikeport", "architectures", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_line() -> None:
    told = json.loads(asked("snn-5", "--json", "--input", "1,16,16", "--classes", "7").stdout)
    assert told["layers"][-1]["shape"] == [7] and told["parameters"] == sum(
        layer["parameters"] for layer in told["layers"]
    )
    wrong = asked("resnet-20")
    assert wrong.returncode == 2 and "there is no architecture 'resnet-20'" in wrong.stderr
    text = asked("resnet-19", "--toml", "--set", "model.stem_channels=8").stdout
    assert parse(text).model.stem_channels == 8  # type: ignore[union-attr]


def test_the_page_says_what_the_code_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in names():
        found = preset(name)
        with torch.device("meta"):
            made = table(build(found.model, found.input, found.classes), found.input)
        row = f"| `{name}` | {found.paper} | {found.ours} | {made.parameters:,} | {made.macs:,} |"
        assert row in page, row
    assert page.count("\n| `") == len(names())
