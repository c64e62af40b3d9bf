"""Spikes are exact, their stand-in derivatives are the papers'."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from spikeport.core.errors import ConfigError
from spikeport.trainer.surrogate import (
    SHAPES,
    ATan,
    Rectangular,
    SuperSpike,
    Surrogate,
    Triangle,
)

FORMS = {  # name of the vector's row -> ours
    "triangle_gamma1 (004 eq.5)": Triangle(1, 1),
    "triangle_gamma0.5": Triangle(0.5, 2),
    "rectangular_a0.5 (STBP)": Rectangular(0.5, 1),
    "superspike_beta10 RIGHT 1/(beta|x|+1)^2": SuperSpike(0.1, 1),
    "superspike_asymptotic_beta10 beta/(beta|x|+1)^2": SuperSpike(0.1, 10),
    "superspike_beta100 (spytorch scale)": SuperSpike(0.01, 1),
    "esser_beta1 max(0,1-beta|x|)": Triangle(1, 1),
    "esser_beta10": Triangle(0.1, 1),
    "atan_alpha2 a/2/(1+(pi/2 a x)^2) (spikingjelly cext, SEW)": ATan(1, 1),
    "bellec_0.3 0.3*max(0,1-|x|) (BNTT, DIET, hybrid)": Triangle(1, 0.3),
}
SURROGATES = [shape(width, 0.7) for shape in SHAPES.values() for width in (0.3, 1.0)]


def slope(surrogate: Surrogate, x: list[float], threshold: float = 0.0) -> list[float]:
    """What comes back through the spikes of a membrane at threshold + x."""
    v = (torch.tensor(x, dtype=torch.float64) + threshold).requires_grad_()
    (grad,) = torch.autograd.grad(surrogate(v, threshold).sum(), v)
    found: list[float] = grad.tolist()
    return found


@pytest.mark.parametrize("row", FORMS)
def test_five_points(vector: Any, row: Any) -> None:
    inputs, expected = vector("surrogate_gradients_5pts")
    assert slope(FORMS[row], inputs["x"]) == pytest.approx(expected[row], abs=1e-9)


def area(surrogate: Surrogate) -> float:
    """The derivative's integral over all membranes."""
    half, _ = quad(lambda x: slope(surrogate, [x])[0], 0, math.inf, limit=200)
    return 2 * float(half)


@pytest.mark.parametrize(
    "kind, at_width, times",
    [(Triangle, 0, 1), (ATan, 1 / (1 + math.pi**2), 1), (SuperSpike, 0.25, 2)],
)
def test_shapes(kind: type[Surrogate], at_width: float, times: float) -> None:
    surrogate = kind(0.5, 3.0)
    assert slope(surrogate, [0.5, -0.5]) == pytest.approx([3.0 * at_width] * 2)
    assert area(surrogate) == pytest.approx(times * 0.5 * 3.0, rel=1e-5)


def test_integrals(vector: Any) -> None:
    _, expected = vector("surrogate_integrals")
    assert area(Triangle(0.5, 2)) == pytest.approx(expected["triangle_any_gamma"], rel=1e-5)
    assert area(Rectangular(0.5, 1)) == pytest.approx(expected["rectangular"], rel=1e-2)
    assert area(ATan(1, 1)) == pytest.approx(expected["atan"], rel=1e-5)
    assert area(SuperSpike(0.1, 10)) == pytest.approx(expected["superspike_asymptotic"], rel=1e-5)
    for beta, value in expected["superspike_beta"]:
        assert area(SuperSpike(1 / beta, 1)) == pytest.approx(value, rel=1e-5)


@given(
    st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=20),
    st.floats(0.0625, 3, width=32),
    st.sampled_from(SURROGATES),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_fires_strictly_above_the_threshold(
    values: list[float], threshold: float, surrogate: Surrogate, dtype: torch.dtype
) -> None:
    edge = torch.tensor(threshold, dtype=dtype)
    around = [torch.nextafter(edge, edge + way) for way in (-1, 1)]
    v = torch.cat([torch.tensor(values, dtype=dtype), torch.stack([edge, *around])])
    spikes = surrogate(v, threshold)
    assert spikes.dtype == dtype
    assert spikes.tolist() == [1.0 if x > edge else 0.0 for x in v]
    assert spikes[-3:].tolist() == [0, 0, 1]


@pytest.mark.parametrize("surrogate", SURROGATES, ids=repr)
def test_width_and_scale_are_separate(surrogate: Surrogate) -> None:
    points = [-0.2, 0.0, 0.1]
    peak = slope(surrogate, [0.0], threshold=1.5)[0]
    assert peak == pytest.approx(0.7)
    kind = type(surrogate)
    taller = slope(kind(surrogate.width, 2.1), points)
    assert taller == pytest.approx([3 * s for s in slope(surrogate, points)])
    wider = slope(kind(2 * surrogate.width, 0.7), [2 * p for p in points])
    assert wider == pytest.approx(slope(surrogate, points))


def test_a_learned_threshold_feels_the_opposite() -> None:
    v = torch.tensor([0.4, 0.9, 1.3], dtype=torch.float64, requires_grad=True)
    threshold = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    of_v, of_threshold = torch.autograd.grad(Triangle()(v, threshold).sum(), (v, threshold))
    assert of_threshold.shape == ()
    assert float(of_threshold) == pytest.approx(-float(of_v.sum()))


@pytest.mark.parametrize("width, scale", [(0, 1), (-1, 1), (1, 0), (math.nan, 1), (1, math.inf)])
def test_no_other_widths_and_scales(width: float, scale: float) -> None:
    with pytest.raises(ConfigError, match="greater than 0"):
        Triangle(width, scale)
