"""The readouts that settings can name: what follows the last linear layer, and how logits come
of it. What is between the linear layer and the output is exported with it."""

from dataclasses import dataclass
from typing import Literal

from ...core.network import Readout
from ..methods import Answer


@dataclass(frozen=True)
class Choice:
    """behind: what follows the last linear layer, 'leaky' or 'neurons'; votes: whether outputs
    are averaged; logits: see `trainer.readouts.decide`."""

    logits: Readout
    deployed: Answer
    behind: Literal["leaky", "neurons"] | None = None
    votes: bool = False

    @property
    def spikes(self) -> bool:
        """Whether the outputs are spikes, 0 or 1."""
        return self.behind == "neurons" and not self.votes


HOST = "the host takes the {} of the output over time"
LEAKY = "a leaky integrator and a delay of one step (two with a synaptic current); {}"

READOUTS: dict[str, Choice] = {
    "mean": Choice("mean_t", Answer("exact", "the host needs spike counts of the last layer")),
    "sum": Choice("sum_t", Answer("exact", HOST.format("sum"))),
    "max": Choice("max_t", Answer("exact", HOST.format("maximum"))),
    "li-max": Choice("max_t", Answer("exact", LEAKY.format(HOST.format("maximum"))), "leaky"),
    "li-sum": Choice("sum_t", Answer("exact", LEAKY.format(HOST.format("sum"))), "leaky"),
    "voting": Choice("mean_t", Answer("exact", "a Linear of 1 / votes"), "neurons", votes=True),
    "count": Choice("count", Answer("exact", "the host counts output spikes"), "neurons"),
    "first": Choice(
        "first_spike", Answer("exact", "the host notes each output's first spike"), "neurons"
    ),
}
