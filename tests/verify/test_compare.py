"""Totals, first divergence, answers and intervals."""

from typing import Any

import numpy as np
import pytest

from spikeport.verify.compare import Tally, read_out
from spikeport.verify.statistics import mean_paired_difference, paired_difference, wilson


def logits(*rows: list[float]) -> Any:
    return np.array(rows)


def test_totals_and_first_divergence() -> None:
    tally = Tally(("a", "b"))
    expected = {"a": np.zeros((4, 2, 3), np.uint8), "b": np.zeros((4, 2, 2), np.uint8)}
    got = {name: s.copy() for name, s in expected.items()}
    got["b"][2, 0, 1] = 1
    got["a"][2, 1, 0] = 1
    got["a"][3, 1, 2] = 1
    same = logits([1, 2], [2, 1])
    tally.take(expected, expected, (same, same), None)
    differs = tally.take(expected, got, (same, same), np.array([1, 1]))
    assert differs.tolist() == [True, True]
    assert tally.first is not None
    assert (tally.first.step, tally.first.layer, tally.first.sample) == (2, "a", 3)
    assert tally.first.neuron == (0,)
    assert tally.differing == 3 and tally.touched == 2 and tally.samples == 4
    assert tally.layers["a"].by_step == [0, 0, 1, 1]
    assert tally.correct == [True, False]


def test_an_earlier_divergence_in_a_later_batch_wins() -> None:
    tally = Tally(("a",))
    quiet = {"a": np.zeros((3, 1, 1), np.uint8)}
    for step in (2, 1):
        got = {"a": quiet["a"].copy()}
        got["a"][step] = 1
        tally.take(quiet, got, (logits([0.0]), logits([0.0])), None)
    assert tally.first is not None and (tally.first.step, tally.first.sample) == (1, 1)


def test_ties_go_to_the_lowest_class_and_are_counted() -> None:
    tally = Tally(())
    tally.take({}, {}, (logits([3, 3, 1]), logits([3, 3, 1])), np.array([0]))
    assert tally.ties == 1 and tally.correct == [True]


@pytest.mark.parametrize(("apart", "wrong"), [(0.9e-9, 0), (3e-9, 1)])
def test_logits_where_spikes_agree(apart: float, wrong: int) -> None:
    tally = Tally(())
    tally.take({}, {}, (logits([0.5, 0.1]), logits([0.5 + apart, 0.1])), None)
    assert tally.logits_wrong == wrong


def test_logits_of_a_differing_sample_are_no_fault_of_their_own() -> None:
    tally = Tally(("a",))
    one, other = {"a": np.zeros((1, 1, 1))}, {"a": np.ones((1, 1, 1))}
    tally.take(one, other, (logits([0.0]), logits([1.0])), None)
    assert tally.logits_wrong == 0 and tally.touched == 1


def test_read_out() -> None:
    values = np.array([[[1.0, 5.0]], [[3.0, 1.0]]])
    assert read_out(values, "mean_t").tolist() == [[2, 3]]
    assert read_out(values, None).tolist() == [[2, 3]]
    assert read_out(values, "sum_t").tolist() == [[4, 6]]
    assert read_out(values, "max_t").tolist() == [[3, 5]]


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (95, 100, 0.8882, 0.9785), (10, 10, 0.7225, 1.0)],
)
def test_wilson(right: int, total: int, low: float, high: float) -> None:
    """Values of Wilson's interval from tables (A. Agresti, Categorical Data Analysis)."""
    assert wilson(right, total) == pytest.approx((low, high), abs=1e-4)


def test_paired_difference() -> None:
    before = [True] * 90 + [False] * 10
    after = [True] * 85 + [False] * 13 + [True] * 2
    change, low, high = paired_difference(before, after)
    assert change == pytest.approx(-0.03)
    # Agresti and Min: n + 2, half a count in each cell
    n, gained, lost = 102, 2, 5
    spread = ((gained + lost + 1) - (gained - lost) ** 2 / n) ** 0.5 / n
    assert (low, high) == pytest.approx((-3 / n - 1.96 * spread, -3 / n + 1.96 * spread), abs=1e-4)
    assert paired_difference(before, before)[0] == 0


def test_mean_paired_difference() -> None:
    before = [[True] * 90 + [False] * 10, [True] * 80 + [False] * 20]
    after = [[True] * 95 + [False] * 5, [True] * 80 + [False] * 20]
    change, low, high = mean_paired_difference(before, after)
    assert change == pytest.approx(0.025)  # 5 of 100 gained by one of two
    spread = (5 * 0.5**2 / 100 - 0.025**2) * 100 / 99
    assert high - change == pytest.approx(1.959964 * (spread / 100) ** 0.5) == change - low
    one = mean_paired_difference(before[:1], after[:1])
    wald = paired_difference(before[0], after[0])
    assert one[0] == wald[0] and one[1] == pytest.approx(wald[1], abs=0.02)
    same = mean_paired_difference(before, before)
    assert same == (0, 0, 0)
    # the same pair twice says no more than once
    twice = mean_paired_difference(before[:1] * 2, after[:1] * 2)
    assert twice == one
