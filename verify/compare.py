"""One engine held against the baseline, batch by batch: spikes with ==, outputs, answers.

Nothing is kept but totals, the first divergence and what the pictures need, so that memory does
not grow with the data set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.arrays import Array, Numbers
from ..core.network import Readout

LOGIT_TOLERANCE = 1e-9  # relative, where every spike agrees, for engines in float64
COARSE = 1024  # ... and times epsilon for engines in a coarser dtype


@dataclass(frozen=True)
class Divergence:
    """The earliest differing spike: by step, then by layer in network order, then by sample."""

    step: int
    layer: str
    sample: int
    neuron: tuple[int, ...]
    expected: int
    got: int


@dataclass
class LayerTally:
    """Totals of one population."""

    spikes: int = 0
    differing: int = 0
    neuron_steps: int = 0
    baseline_spikes: int = 0
    by_step: list[int] = field(default_factory=list)  # differing spikes at each step

    @property
    def rate(self) -> float:
        """Spikes a neuron, step and sample."""
        return self.spikes / max(self.neuron_steps, 1)

    @property
    def baseline_rate(self) -> float:
        """The baseline's."""
        return self.baseline_spikes / max(self.neuron_steps, 1)


@dataclass
class Tally:
    """Everything that one engine's comparison has come to so far."""

    order: Sequence[str]  # the populations, in network order
    epsilon: float = 0.0  # of the engine's dtype
    samples: int = 0
    steps: int = 0
    layers: dict[str, LayerTally] = field(default_factory=dict)
    first: Divergence | None = None
    touched: int = 0  # samples with at least one differing spike
    logits_apart: float = 0.0  # largest |difference|
    logits_wrong: int = 0  # samples without a differing spike whose logits differ all the same
    ties: int = 0  # samples in which two classes have the same largest logit
    same_answer: int = 0
    correct: list[bool] = field(default_factory=list)
    baseline_correct: list[bool] = field(default_factory=list)

    @property
    def differing(self) -> int:
        """Differing spikes in all layers."""
        return sum(layer.differing for layer in self.layers.values())

    def take(
        self,
        expected: Mapping[str, Numbers],
        got: Mapping[str, Numbers],
        logits: tuple[Array, Array],
        labels: Numbers | None,
    ) -> Array:
        """Add a batch: spikes of each population [T, B, *shape], logits (baseline's, engine's)
        [B, classes], labels [B] or None. Returns which samples differ, [B]."""
        differs = np.zeros(len(logits[0]), bool)
        for name in self.order:
            apart = expected[name] != got[name]
            self.add_layer(name, expected[name], got[name], apart)
            differs |= apart.any(axis=(0, *range(2, apart.ndim)))
        if differs.any():
            self.find_first(expected, got)
            self.touched += int(differs.sum())
        self.add_answers(logits, labels, differs)
        self.steps = len(next(iter(expected.values()))) if expected else self.steps
        self.samples += len(differs)
        return differs

    def add_layer(self, name: str, expected: Numbers, got: Numbers, apart: Numbers) -> None:
        """One population of a batch."""
        layer = self.layers.setdefault(name, LayerTally(by_step=[0] * len(apart)))
        layer.spikes += int(got.sum(dtype=np.int64))
        layer.baseline_spikes += int(expected.sum(dtype=np.int64))
        layer.neuron_steps += apart.size
        layer.differing += int(apart.sum(dtype=np.int64))
        by_step = apart.reshape(len(apart), -1).sum(axis=1)
        layer.by_step = [a + int(b) for a, b in zip(layer.by_step, by_step, strict=True)]

    def find_first(self, expected: Mapping[str, Numbers], got: Mapping[str, Numbers]) -> None:
        """Keep the earliest divergence."""
        for name in self.order:
            where = np.argwhere(expected[name] != got[name])
            if not len(where):
                continue
            step, sample, *neuron = (int(i) for i in where[0])
            if self.first is None or step < self.first.step:
                at = (step, sample, *neuron)
                self.first = Divergence(
                    step,
                    name,
                    self.samples + sample,
                    tuple(neuron),
                    int(expected[name][at]),
                    int(got[name][at]),
                )

    def add_answers(
        self, logits: tuple[Array, Array], labels: Numbers | None, differs: Numbers
    ) -> None:
        """Logits and predictions of a batch. Ties go to the lowest class and are counted."""
        baseline, engine = logits
        gap = np.abs(baseline - engine)
        self.logits_apart = max(self.logits_apart, float(gap.max(initial=0.0)))
        tolerance = max(LOGIT_TOLERANCE, COARSE * self.epsilon)
        over = (gap > tolerance * np.maximum(1, np.abs(baseline))).any(axis=1)
        self.logits_wrong += int((over & ~differs).sum())
        answers = [flat.argmax(axis=1) for flat in (baseline, engine)]
        top = engine == engine.max(axis=1, keepdims=True)
        self.ties += int((top.sum(axis=1) > 1).sum())
        self.same_answer += int((answers[0] == answers[1]).sum())
        if labels is not None:
            self.baseline_correct += [bool(right) for right in answers[0] == labels]
            self.correct += [bool(right) for right in answers[1] == labels]


def read_out(outputs: Array, readout: Readout | None) -> Array:
    """Logits [B, classes] from an output node's values [T, B, *shape].

    mean_t: mean over time; sum_t and count: sum; max_t: maximum; first_spike: minus the step of
    the first spike, T if there is none. Unknown: the mean.
    """
    flat = outputs.reshape(*outputs.shape[:2], -1)
    if readout in ("sum_t", "count"):
        return np.asarray(flat.sum(axis=0))
    if readout == "max_t":
        return np.asarray(flat.max(axis=0))
    if readout == "first_spike":
        return np.asarray(-np.cumprod(1.0 - flat, axis=0).sum(axis=0))
    return np.asarray(flat.mean(axis=0))
