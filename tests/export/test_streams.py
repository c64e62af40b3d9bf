"""Pre-activation residual streams: sums of all earlier synapses, exact with a copy where needed."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikeport.core import interpreter
from spikeport.core.errors import PassError
from spikeport.core.nodes import BatchNorm, Conv
from spikeport.core.schedule import compile
from spikeport.export import recipes
from spikeport.export.from_torch import lower
from spikeport.export.passes.base import run_passes
from spikeport.export.passes.own_synapses import OwnSynapses
from spikeport.trainer import layers
from spikeport.trainer.evaluate import run_recorded
from spikeport.trainer.joins import Add
from spikeport.trainer.neurons import LIF
from spikeport.trainer.norms import BatchNorm2d, PspBatchNorm
from spikeport.verify.run import Request, verify
from spikeport.verify.trained import TrainedBaseline


class Block(nn.Module):
    """h + conv(norm(spikes(conv(norm(spikes(h)))))), or a batch norm before the spikes."""

    def __init__(self, channels: int, after: bool) -> None:
        super().__init__()
        self.start = BatchNorm2d(channels) if after else nn.Identity()
        self.one, self.two = LIF(), LIF()
        self.norm1, self.norm2 = (
            nn.Identity() if after else PspBatchNorm(channels) for _ in range(2)
        )
        self.conv1 = layers.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = layers.Conv2d(channels, channels, 3, padding=1)
        self.join = Add()

    def forward(self, h: Tensor) -> Tensor:
        g = self.conv1(self.norm1(self.one(self.start(h))))
        joined: Tensor = self.join(self.conv2(self.norm2(self.two(g))), h)
        return joined


def stream(blocks: int, channels: int = 3, after: bool = False) -> nn.Module:
    """A net with moments of its own that spikes at every depth."""
    torch.manual_seed(2)
    model = nn.Sequential(
        layers.Conv2d(1, channels, 3, padding=1),
        *(Block(channels, after) for _ in range(blocks)),
        LIF(),
        PspBatchNorm(channels),
        layers.AvgPool2d(2),
        layers.Flatten(),
        layers.Linear(channels * 9, 4),
    ).double()
    with torch.no_grad():
        for p in model.parameters():
            if p.ndim == 4:
                p.normal_(0, (6 / (9 * channels)) ** 0.5)
        for _ in range(3):
            model.train()(torch.rand(4, 4, 1, 6, 6, dtype=torch.float64))
    return model.eval()


def image() -> Any:
    return np.random.default_rng(0).random((4, 6, 1, 6, 6))


def test_every_block_hears_all_before_it() -> None:
    network = lower(stream(5), (1, 6, 6))
    assert [len(network.sources[f"{k}.one"]) for k in range(1, 6)] == [1, 2, 3, 4, 5]
    assert not network.origin


@pytest.mark.parametrize("after", [False, True])
def test_a_stream_is_what_was_trained(after: bool) -> None:
    model = stream(4, after=after)
    network = run_passes(lower(model, (1, 6, 6)), recipes.PLAIN).network
    assert not network.named(BatchNorm)
    copies = len(network.named(Conv)) - (1 + 2 * 4)
    # a batch norm folds into what it hears: one copy of each for every norm after the first
    assert copies == (3 + 2 + 1 + 0 + 4 if after else 0)
    _, spikes = run_recorded(model, image())
    ours = interpreter.run(compile(network), {"input": image()}, ("all",))
    for layer, theirs in spikes.items():
        assert theirs.any() and (ours.spikes[layer] == theirs).all(), layer


@pytest.mark.parametrize("engine", ["reference", "norse", "loihi"])
def test_a_stream_runs_exactly(engine: str) -> None:
    """loihi: the bits of the integer interpreter, with weights of its own for every reader."""
    model = stream(6)
    network = run_passes(lower(model, (1, 6, 6)), recipes.PLAIN).network
    baseline = TrainedBaseline(lambda x: run_recorded(model, x), network.spiking)
    result = verify(network, [(image(), None)], [Request(engine)], baseline, calibration=image)
    assert result.agrees
    (outcome,) = result.outcomes
    assert not outcome.run.bits_apart
    assert engine == "loihi" or not outcome.run.tally.differing


def test_the_depth_of_the_paper_is_lowered_and_folded() -> None:
    """104 convolutions in 52 blocks: 1,378 edges of the stream alone."""
    network = run_passes(lower(stream(52, channels=2), (1, 6, 6)), recipes.PLAIN).network
    assert len(network.sources["53"]) == 53
    own = OwnSynapses().apply(network)
    assert len(own.named(Conv)) == 52 + 53 * 54 // 2
    assert {own.origin.get(n, n) for n in own.named(Conv)} == {None, *network.named(Conv)}


def test_a_norm_of_spikes_and_sums_is_refused() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm, self.join = layers.Conv2d(1, 1, 1), BatchNorm2d(1), Add()

        def forward(self, x: Tensor) -> Tensor:
            joined: Tensor = self.norm(self.join(self.conv(x), x))
            return joined

    model = nn.Sequential(LIF(), Mixed(), LIF()).double()
    model.train()(torch.rand(3, 3, 1, 2, 2, dtype=torch.float64) * 3)
    with pytest.raises(PassError, match=r"norm '1.norm' cannot be folded: it hears 0 \(LIF\)"):
        run_passes(lower(model.eval(), (1, 2, 2)), recipes.FLOAT)


def test_the_stream_is_the_sum_of_all_blocks(vector: Any) -> None:
    """The vector's G as the synapses' biases: a graph that sums them by its edges."""
    inputs, expected = vector("preact_residual_stream")
    values = [inputs["h0"], inputs["G1"], inputs["G2"]]

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(layers.Linear(2, 2) for _ in values)
            self.first, self.second = Add(), Add()

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            h0, g1, g2 = (part(x) for part in self.parts)
            h1 = self.first(g1, h0)
            return h1, self.second(g2, h1)

    model = Sum().double()
    with torch.no_grad():
        for part, bias in zip(model.parts, values, strict=True):
            assert isinstance(part, nn.Linear)
            part.weight.zero_()
            part.bias.copy_(torch.tensor(bias, dtype=torch.float64))
    network = lower(model, (2,))
    ours = interpreter.run(compile(network), {"x": np.zeros((1, 1, 2))}).outputs
    for output, key in (("output.0", "h1"), ("output.1", "h2")):
        assert np.abs(ours[output][0, 0] - np.array(expected[key])).max() < 1e-9
    assert len(network.sources["output.1"]) == 3
