"""Random manifolds as a data set."""

import numpy as np
import pytest

from spikeport.core.config import parse
from spikeport.core.errors import DataError
from spikeport.trainer import data
from spikeport.trainer.encoders import random_manifold as randman

SMALL = "[data]\nname='random-manifolds'\nsteps=30\nmanifolds={classes=3, units=4, samples=20"


def test_each_unit_fires_as_often_as_is_said() -> None:
    found = data.named(parse(f"{SMALL}, spikes=1, fraction=0.5}}").data)
    assert found.x.shape == (60, 30, 4) and found.temporal and found.content == "spikes"
    assert (found.x.sum(1) == 1).all() and not found.x[:, 15:].any()
    assert {n: len(i) for n, i in found.splits.items()} == {
        "train": 36,
        "validation": 12,
        "test": 12,
    }
    for indices in found.splits.values():
        assert len(set(np.bincount(found.y[indices]))) == 1


def test_a_class_is_its_manifold() -> None:
    """The same points through the formulas of the encoder."""
    about = parse(f"{SMALL}, alpha=2.0, dimensions=2, spikes=2, seed=5}}").data
    found = data.named(about)
    random = np.random.default_rng((5, 1))
    theta = randman.parameters(random, 8, 2, 2.0)
    y = randman.standardised(randman.manifold(random.random((20, 2)), theta, 2.0))
    when = randman.spike_steps(y, 30, 0.5).reshape(20, 4, 2)
    for sample, times in zip(found.x[found.y == 1], when, strict=True):
        assert [sorted(set(t)) for t in times] == [list(np.flatnonzero(u)) for u in sample.T]


def test_the_seed_is_all() -> None:
    one, two = (data.named(parse(f"{SMALL}, seed={s}}}").data).x for s in (1, 2))
    assert (one == data.named(parse(f"{SMALL}, seed=1}}").data).x).all() and (one != two).any()


def test_too_few() -> None:
    with pytest.raises(DataError, match="five are the least"):
        data.named(parse("[data]\nname='random-manifolds'\nmanifolds={samples=4}").data)


def test_fewer_samples_of_a_split() -> None:
    whole = data.named(parse("").data)
    some = data.named(parse("[data]\nsamples=10\nvalidation_samples=7").data)
    assert (some.indices("train") == whole.indices("train")[:10]).all()
    assert len(some.indices("validation")) == 7
    assert len(some.indices("test")) == len(whole.indices("test"))
    with pytest.raises(DataError, match=r"data.samples is 99999, and split 'train' .* has"):
        data.named(parse("[data]\nsamples=99999").data)
