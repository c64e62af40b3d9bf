"""Encoders: the papers' numbers, plain definitions, and data sets heard through them."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from spikeport.core.config import parse
from spikeport.core.errors import ConfigError, DataError
from spikeport.trainer.data import DataSet, encoded
from spikeport.trainer.encoders import ENCODERS, dct, events, latency, rate
from spikeport.trainer.encoders import random_manifold as randman
from spikeport.trainer.encoders.spectrogram import mel_bands, mel_spectrogram

PIXELS = arrays(np.float64, (3, 4), elements=st.floats(0, 1))
Numbers = NDArray[np.float64]


def encoder(text: str) -> Any:
    return parse("", overrides=[f"data.encoder={text}"]).data.encoder


# --- the papers' numbers -----------------------------------------------------------------------


def test_poisson(vector: Any) -> None:
    inputs, expected = vector("poisson_encoding_given_uniforms")
    x, u = np.array(inputs["x"]), np.array(inputs["u"])
    assert rate.poisson(x, u).tolist() == expected["spikingjelly"]
    assert rate.signed_poisson(x, u).tolist() == expected["bntt"]
    assert rate.signed_poisson(-x, u).tolist() == (-np.array(expected["bntt"])).tolist()


def test_latency(vector: Any) -> None:
    inputs, expected = vector("latency_encoding_spikingjelly")
    x, steps = np.array(inputs["x"]), inputs["T"]
    assert latency.linear(x, steps).tolist() == expected["linear"]
    assert latency.logarithmic(x, steps).tolist() == expected["log"]


def test_direct(vector: Any, blobs: DataSet) -> None:
    inputs, expected = vector("direct_encoding")
    x = np.array([inputs["x"]], np.float32)
    found = DataSet("x", x, np.array([0]), {"train": np.array([0])}, 1)
    assert np.allclose(found.take(np.array([0]), inputs["T"])[0][:, 0], expected["x_seq"])
    assert encoded(blobs, encoder("direct")) is blobs


def test_events(vector: Any) -> None:
    inputs, expected = vector("events_to_frames_by_time_vs_by_number")
    t, steps = inputs["t"], inputs["T"]
    zero = np.zeros(len(t), int)
    given = events.Events(t, zero, zero, zero)
    by_time = events.by_time(given, steps, (1, 1, 1), inputs["t_total"])
    assert by_time.ravel().tolist() == expected["counts_by_time"]
    assert (
        events.by_number(given, steps, (1, 1, 1)).ravel().tolist() == (expected["counts_by_number"])
    )


def test_random_manifolds(vector: Any) -> None:
    inputs, expected = vector("randman_cutoff")
    assert [randman.cutoff(a) for a in inputs["alpha"]] == expected["n_cutoff"]
    inputs, expected = vector("randman_to_spike_times")
    y = randman.standardised(np.array(inputs["y"]))
    assert np.allclose(y, expected["y01"], atol=1e-6, rtol=0)
    steps = randman.spike_steps(y, inputs["nb_steps"], inputs["step_frac"])
    assert steps.tolist() == expected["steps"]


# --- definitions -------------------------------------------------------------------------------


@given(PIXELS, st.integers(1, 60), st.floats(1, 60), st.floats(0.01, 0.9))
def test_charge(x: Numbers, steps: int, tau: float, threshold: float) -> None:
    when = latency.charge(x, steps, tau, threshold)
    for pixel, found in zip(x.ravel(), when.ravel(), strict=True):
        t = tau * math.log(pixel / (pixel - threshold)) if pixel > threshold else math.inf
        wanted = int(t) if t < steps else latency.NEVER
        assert found == wanted or abs(t - round(t)) < 1e-9  # two logarithms, one rounding
    spikes = latency.at_steps(when, steps)
    assert np.array_equal(spikes.sum(0), when >= 0)


def test_the_brightest_pixel_takes_its_time() -> None:
    one = np.ones(1)
    assert [int(latency.charge(one, 100, *p)[0]) for p in ((20, 0.2), (50, 0.2), (50, 0.1))] == [
        4,
        11,
        5,
    ]


@given(PIXELS, st.integers(1, 200))
def test_every_pixel_spikes_once(x: Numbers, steps: int) -> None:
    for code in (latency.linear, latency.logarithmic):
        spikes = latency.at_steps(code(x, steps), steps)
        assert (spikes.sum(0) == 1).all()
        order = np.argsort(x.ravel())
        assert (np.diff(code(x, steps).ravel()[order]) <= 0).all()


def test_the_zigzag() -> None:
    assert dct.ZIGZAG[:8] == ((0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2))
    assert len(set(dct.ZIGZAG)) == 16 and dct.ZIGZAG[-1] == (3, 3)


@given(st.integers(0, 2**31), st.sampled_from([1, 2, 4]), st.integers(4, 9), st.integers(4, 9))
def test_sixteen_frequencies_are_the_image(seed: int, stride: int, rows: int, wide: int) -> None:
    x = np.random.default_rng(seed).random((2, 3, rows, wide))
    shown = dct.frames(x, 18, stride)
    assert shown.shape[1:] == (2, *dct.output_shape((3, rows, wide), stride))
    assert np.array_equal(shown[:2], shown[16:])
    total = shown[:16].sum(0)
    for y in range(total.shape[2]):
        for column in range(total.shape[3]):
            at = (y // 4 * stride + y % 4, column // 4 * stride + column % 4)
            assert np.allclose(total[:, :, y, column], x[:, :, at[0], at[1]])
    mean = x[0, 0, :4, :4].mean()
    assert np.allclose(shown[0, 0, 0, :4, :4], mean)  # the first frequency is the mean


def test_dct_is_orthonormal_and_its_spikes_signed() -> None:
    q = dct.matrix()
    assert np.allclose(q @ q.T, np.eye(4))
    values = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    assert dct.signed_spikes(values, -0.5, 0.5).tolist() == [-1, 0, 0, 0, 1]
    assert dct.thresholds(np.arange(1001.0)) == (65.0, 935.0)
    grey = np.full((1, 3, 1, 1), 0.25)
    assert np.allclose(dct.ycbcr(grey).ravel(), [0.25, 0.5, 0.5])


@given(st.integers(0, 60), st.integers(1, 9), st.integers(0, 2**31))
def test_frames_count_events(count: int, steps: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (2, 3, 4)
    t = np.sort(random.random(count)) * 50
    p, y, x = (random.integers(0, n, count) for n in shape)
    given_ = events.Events(t, x, y, p)
    wanted = {name: np.zeros((steps, *shape)) for name in ("time", "number")}
    for i in range(count):
        wanted["time"][math.floor(t[i] / 50 * steps), p[i], y[i], x[i]] += 1
        wanted["number"][i * steps // count, p[i], y[i], x[i]] += 1
    by_time = events.by_time(given_, steps, shape, 50.0)
    by_number = events.by_number(given_, steps, shape)
    assert np.array_equal(by_time, wanted["time"])
    assert np.array_equal(by_number, wanted["number"])
    each = by_number.sum((1, 2, 3))
    assert each.max() - each.min() <= 1
    once = events.by_time(given_, steps, shape, 50.0, once=True)
    assert np.array_equal(once, wanted["time"] > 0)
    scaled = events.by_time(given_, steps, shape, 50.0, scaled=True)
    assert set(scaled.max((1, 2, 3))) <= {0.0, 1.0}


@given(st.integers(0, 2**31), st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from(["power", "peak"]))
def test_a_manifold_is_its_definition(seed: int, alpha: float, spectrum: Any) -> None:
    random = np.random.default_rng(seed)
    theta = randman.parameters(random, 3, 2, alpha)[..., :12]
    assert not theta[:, :, 0, 0].any()
    x = random.random((4, 2))
    found = randman.manifold(x, theta, alpha, spectrum, beta=2.0)
    for n in range(4):
        for i in range(3):
            product = 1.0
            for d in range(2):
                total = 0.0
                for k in range(theta.shape[-1]):
                    s = 1 / (k + 1) ** alpha
                    if spectrum == "peak":
                        s = 1 / (abs(k + 1 - 2.0) ** alpha + 1)
                    a, b, c = theta[i, d, :, k]
                    total += a * s * math.sin(2 * math.pi * (k * x[n, d] * b + c))
                product *= total
            assert found[n, i] == pytest.approx(product, abs=1e-12)


def test_a_tone_is_loudest_in_its_band() -> None:
    rate_, tone = 8000.0, 1000.0
    wave = np.sin(2 * np.pi * tone * np.arange(4000) / rate_)
    found = mel_spectrogram(wave, rate_, 7, bands=20)
    assert found.shape == (7, 20)
    bands = mel_bands(20, 256, rate_)
    assert bands.max() <= 1 and (bands.sum(1) > 0).all()
    nearest = bands[:, round(tone * 256 / rate_)].argmax()
    assert (found.argmax(1) == nearest).all()


# --- data sets ---------------------------------------------------------------------------------

SPIKES = {"saccades", "poisson", "latency", "latency-linear", "latency-log"}


@pytest.mark.parametrize("kind", ENCODERS)
def test_every_encoder_on_a_data_set(kind: str, blobs: DataSet) -> None:
    made = encoded(blobs, encoder(kind), seed=3)
    steps = 8
    x, y = made.take(np.arange(10), steps)
    assert x.shape == (steps, 10, *made.shape) and x.dtype == np.float32
    assert np.array_equal(y, blobs.y[:10]) and np.ptp(x) > 0
    assert made.content == ("spikes" if kind in SPIKES else "analogue")
    if kind in SPIKES:
        assert set(np.unique(x)) == {0.0, 1.0}
    again, _ = made.take(np.arange(5, 10), steps)
    assert np.array_equal(again, x[:, 5:])  # a sample is encoded alike in any batch
    other, _ = made.drawn(1).take(np.arange(10), steps)
    assert np.array_equal(other, x) == (kind != "poisson")


def test_rates_are_the_pixels(blobs: DataSet) -> None:
    x, _ = encoded(blobs, encoder("poisson")).take(np.arange(3), 2000)
    assert np.abs(x.mean(0) - np.clip(blobs.x[:3], 0, 1)).max() < 0.05


def test_dct_spikes_have_thresholds_of_the_training_split(blobs: DataSet) -> None:
    made = encoded(blobs, encoder("dct"))
    x, _ = made.take(made.indices("train"), 16)
    shares = [(x == value).mean() for value in (-1, 1)]
    assert shares == pytest.approx([0.065, 0.065], abs=2e-3)
    whole = encoded(blobs, encoder("{kind = 'dct', spikes = false}"))
    assert np.allclose(whole.take(np.arange(4), 16)[0].sum(0), blobs.x[:4], atol=1e-6)


def test_refusals(blobs: DataSet) -> None:
    with pytest.raises(DataError, match="run from 0 to 2; scale them"):
        latency.linear(np.array([0.0, 2.0]), 4)
    with pytest.raises(ConfigError, match="701 steps; 700 are the most"):
        latency.logarithmic(np.zeros(1), 701)
    with pytest.raises(DataError, match=r"at least 4 x 4, not \[1, 3, 8\]"):
        dct.output_shape((1, 3, 8), 4)
    with pytest.raises(DataError, match="not in order of time"):
        events.Events([1.0, 0.5], [0, 0], [0, 0], [0, 0])
    with pytest.raises(DataError, match=r"x from 0 to 5; 0 to 3 fits"):
        events.by_number(events.Events([0, 1], [0, 5], [0, 0], [0, 0]), 2, (2, 4, 4))
    with pytest.raises(DataError, match=r"must lie in \[0, 50\)"):
        events.by_time(events.Events([0, 50], [0, 0], [0, 0], [0, 0]), 2, (2, 4, 4), 50.0)
    with pytest.raises(DataError, match="8 columns .* 5 steps are asked for; set data.steps=8"):
        encoded(blobs, encoder("current")).take(np.arange(2), 5)
    with pytest.raises(DataError, match="at least 256 samples"):
        mel_spectrogram(np.zeros(100), 8000, 4)
    still = DataSet("t", blobs.x[:, None], blobs.y, blobs.splits, 3, temporal=True)
    with pytest.raises(DataError, match="in time already; data.encoder=latency takes still"):
        encoded(still, encoder("latency"))
    with pytest.raises(
        ConfigError, match="data.encoder is 'morse'; it must be one of direct, poisson"
    ):
        encoder("morse")
