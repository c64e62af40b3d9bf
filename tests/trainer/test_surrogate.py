"""Spikes are exact, their stand-in derivatives are the papers'."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from spikeport.core.errors import ConfigError
from spikeport.trainer import surrogate_forms as forms
from spikeport.trainer.surrogate import (
    SHAPES,
    ATan,
    Exponential,
    Sigmoid,
    SuperSpike,
    Surrogate,
    Triangle,
)

ROWS = {  # name of the vector's row -> ours
    "triangle_gamma1 (004 eq.5)": forms.triangle(),
    "triangle_gamma0.5": forms.triangle(0.5),
    "rectangular_a0.5 (STBP)": forms.rectangular(),
    "superspike_beta10 RIGHT 1/(beta|x|+1)^2": forms.superspike(10),
    "superspike_asymptotic_beta10 beta/(beta|x|+1)^2": forms.superspike_asymptotic(10),
    "superspike_beta100 (spytorch scale)": forms.superspike(100),
    "esser_beta1 max(0,1-beta|x|)": forms.esser(),
    "esser_beta10": forms.esser(10),
    "sigmoid_beta10 s(1-s), s=sig(beta x) (slide, peak 1/4)": forms.sigmoid(10),
    "sigmoid_beta10_normalised 4 s(1-s) (peak 1)": Sigmoid(0.1, 1),
    "sigmoid_alpha4_true_derivative 4 s(1-s), s=sig(4x) (spikingjelly Sigmoid default)": Sigmoid(
        0.25, 1
    ),
    "atan_alpha2 a/2/(1+(pi/2 a x)^2) (spikingjelly cext, SEW)": forms.atan(),
    "bellec_0.3 0.3*max(0,1-|x|) (BNTT, DIET, hybrid)": forms.bellec(),
}
WRONG = "superspike_slide_beta10 WRONG 1/(1+beta*|x|^2)"
SURROGATES = [shape(width, 0.7) for shape in SHAPES.values() for width in (0.3, 1.0)]


def slope(surrogate: Surrogate, x: list[float], threshold: float = 0.0) -> list[float]:
    """What comes back through the spikes of a membrane at threshold + x."""
    v = (torch.tensor(x, dtype=torch.float64) + threshold).requires_grad_()
    (grad,) = torch.autograd.grad(surrogate(v, threshold).sum(), v)
    found: list[float] = grad.tolist()
    return found


@pytest.mark.parametrize("row", ROWS)
def test_five_points(vector: Any, row: Any) -> None:
    inputs, expected = vector("surrogate_gradients_5pts")
    assert slope(ROWS[row], inputs["x"]) == pytest.approx(expected[row], abs=1e-9)


def test_every_row_is_tried(vector: Any) -> None:
    inputs, expected = vector("surrogate_gradients_5pts")
    assert set(ROWS) | {WRONG} == set(expected)
    assert slope(forms.superspike(10), inputs["x"]) != pytest.approx(expected[WRONG], abs=1e-3)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


DEFINITIONS: dict[str, Callable[[float, float], float]] = {  # (parameter, x) -> ds / dv
    "triangle": lambda g, x: max(0.0, g - abs(x)) / g**2,
    "rectangular": lambda a, x: (abs(x) < a) / (2 * a),
    "superspike": lambda b, x: 1 / (b * abs(x) + 1) ** 2,
    "superspike_asymptotic": lambda b, x: b / (b * abs(x) + 1) ** 2,
    "esser": lambda b, x: max(0.0, 1 - b * abs(x)),
    "sigmoid": lambda b, x: sigmoid(b * x) * (1 - sigmoid(b * x)),
    "slayer": lambda a, x: math.exp(-10 * abs(x)) / a,
    "slayer_library": lambda th, x: 1 / th * math.exp(-abs(x) / th),
    "atan": lambda a, x: a / 2 / (1 + (math.pi / 2 * a * x) ** 2),
    "bellec": lambda th, x: 0.3 * max(0.0, 1 - abs((x + th) / th - 1)) / th,
    "forward_sigmoid": lambda k, x: k * sigmoid(k * x) * (1 - sigmoid(k * x)),
}


@pytest.mark.parametrize("form", forms.FORMS)
@settings(max_examples=25)
@given(st.floats(0.1, 20), st.lists(st.floats(-3, 3), min_size=1, max_size=5))
def test_papers_forms(form: str, parameter: float, x: list[float]) -> None:
    if form == "rectangular":
        assume(all(abs(abs(at) - parameter) > 1e-9 for at in x))
    found = slope(forms.FORMS[form](parameter), x)
    assert found == pytest.approx(
        [DEFINITIONS[form](parameter, at) for at in x], rel=1e-9, abs=1e-9
    )


def test_slayer_reads_two_ways() -> None:
    """The printed alpha = beta = 10 is the library's peak with a hundredth of its area."""
    printed, library = forms.slayer(10, 10), forms.slayer_library(10)
    assert slope(printed, [0.0]) == slope(library, [0.0]) == [0.1]
    assert area(printed) == pytest.approx(0.02)
    assert area(library) == pytest.approx(2)


def test_forward_sigmoid_is_its_own_derivative() -> None:
    smooth = forms.forward_sigmoid(4)
    v = torch.tensor([0.2, 1.0, 1.7], dtype=torch.float64, requires_grad=True)
    threshold = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(smooth, (v, threshold))
    assert smooth(v, 1.0).tolist() == pytest.approx([sigmoid(4 * (x - 1)) for x in (0.2, 1, 1.7)])
    points = torch.tensor([-0.8, 0.0, 0.7], dtype=torch.float64)
    assert slope(smooth, points.tolist()) == pytest.approx(smooth.derivative(points).tolist())
    assert not smooth.binary and Triangle().binary


def area(surrogate: Surrogate) -> float:
    """The derivative's integral over all membranes."""
    half, _ = quad(lambda x: slope(surrogate, [x])[0], 0, math.inf, limit=200)
    return 2 * float(half)


@pytest.mark.parametrize(
    "kind, at_width, times",
    [
        (Triangle, 0, 1),
        (ATan, 1 / (1 + math.pi**2), 1),
        (SuperSpike, 0.25, 2),
        (Sigmoid, 4 * sigmoid(1) * sigmoid(-1), 4),
        (Exponential, math.exp(-1), 2),
    ],
)
def test_shapes(kind: type[Surrogate], at_width: float, times: float) -> None:
    surrogate = kind(0.5, 3.0)
    assert slope(surrogate, [0.5, -0.5]) == pytest.approx([3.0 * at_width] * 2)
    assert area(surrogate) == pytest.approx(times * 0.5 * 3.0, rel=1e-5)


def test_integrals(vector: Any) -> None:
    _, expected = vector("surrogate_integrals")
    for gamma in (0.5, 1, 3):
        assert area(forms.triangle(gamma)) == pytest.approx(
            expected["triangle_any_gamma"], rel=1e-5
        )
    assert area(forms.rectangular()) == pytest.approx(expected["rectangular"], rel=1e-2)
    assert area(forms.atan()) == pytest.approx(expected["atan"], rel=1e-5)
    asymptotic = forms.superspike_asymptotic(10)
    assert area(asymptotic) == pytest.approx(expected["superspike_asymptotic"], rel=1e-5)
    assert area(forms.bellec()) == pytest.approx(expected["bellec"], rel=1e-5)
    # lava-dl: scale 1 / (2 width)
    assert area(Exponential(0.4, 1 / 0.8)) == pytest.approx(expected["lava_dl_exp"], rel=1e-5)
    for row, form in (
        ("superspike_beta", forms.superspike),
        ("esser_beta", forms.esser),
        ("sigmoid_unnormalised_beta", forms.sigmoid),
    ):
        for beta, value in expected[row]:
            assert area(form(beta)) == pytest.approx(value, rel=1e-5)


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
    assert surrogate(v, threshold, ">=").tolist() == [1.0 if x >= edge else 0.0 for x in v]


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
