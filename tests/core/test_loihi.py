"""The chip's rules: one statement, on numpy's integers and on torch's tensors."""

from typing import Any

import numpy as np
import pytest
import torch

from spikeport.core import loihi

EDGES = np.array([0, 1, -1, 4095, 4096, -4095, -4096, -4097, 1 << 35, -(1 << 35) + 1])


def test_products_are_cut_towards_zero() -> None:
    products = np.concatenate([EDGES, np.random.default_rng(2).integers(-(1 << 35), 1 << 35, 999)])
    wanted = [abs(int(p)) // 4096 * (1 if p >= 0 else -1) for p in products]
    assert loihi.scaled(products).tolist() == wanted
    assert loihi.scaled(torch.from_numpy(products)).tolist() == wanted
    assert loihi.scaled(torch.from_numpy(products).double()).tolist() == wanted


@pytest.mark.parametrize(
    "rule",
    [
        loihi.wrapped,
        loihi.saturated,
        lambda s: loihi.shifted_sum(s, -3),
        lambda s: loihi.shifted_sum(s, 5),
    ],
)
def test_rules_on_tensors_are_those_on_arrays(rule: Any) -> None:
    top = loihi.LIMIT
    ends = [e + d for e in (-2 * top, -top, 0, top, 2 * top - 2) for d in (-1, 0, 1)]
    whole = np.concatenate([ends, np.random.default_rng(3).integers(-top, top, 999)])
    wanted = rule(whole).tolist()
    assert rule(torch.from_numpy(whole)).tolist() == wanted
    assert rule(torch.from_numpy(whole).double()).tolist() == wanted


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_on_tensors_are_those_on_arrays(bits: int) -> None:
    mode = loihi.SignMode.MIXED
    units = np.random.default_rng(4).normal(0, 150, 2000)
    units = np.concatenate([units, np.arange(-300, 300, 0.5)])  # with every tie
    kept = loihi.nearest_weight(units, bits, mode)
    assert np.array_equal(loihi.nearest_weight(torch.from_numpy(units), bits, mode).numpy(), kept)
    whole = kept.astype(np.int64)
    assert np.array_equal(loihi.on_grid(whole, bits, mode), whole)
    inside = (units > kept.min()) & (units < kept.max())
    assert (abs(kept - units)[inside] <= loihi.grid_step(bits, mode) / 2).all()
