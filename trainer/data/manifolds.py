"""Random manifolds as a data set: spikes in time, whose timing alone tells the classes apart.

Every class has a smooth random manifold; a sample is a point on it, its coordinates the moments
of spikes (Zenke & Vogels 2021; `trainer.encoders.random_manifold` has the formulas). Each unit
fires `spikes` times in every sample, so that counts say nothing.
"""

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.settings import Manifolds
from ..encoders import random_manifold as randman
from .dataset import SPLITS, DataSet
from .splits import stratified

NAME = "random-manifolds"
STEPS = 100  # of stork's example
FIFTHS = 5


def load(settings: Manifolds | None = None, steps: int = STEPS) -> DataSet:
    """x [N, T, units] of 0 and 1, split 60 : 20 : 20. The same settings give the same samples.

    DataError if there are too few samples to split."""
    about = settings or Manifolds()
    total = about.classes * about.samples
    if about.samples < FIFTHS:
        raise DataError(
            f"data.manifolds.samples is {about.samples} a class; five are the least to be split"
        )
    x = np.zeros((total, steps, about.units), np.float32)
    for label in range(about.classes):  # in turn, so that the first samples hold every class
        x[label :: about.classes] = _class(about, steps, label)
    y = np.arange(total) % about.classes
    fifth = total // FIFTHS
    sizes = dict(zip(SPLITS, (total - 2 * fifth, fifth, fifth), strict=True))
    splits = stratified(y, sizes)
    return DataSet(NAME, x, y, splits, about.classes, content="spikes", temporal=True)


def _class(about: Manifolds, steps: int, label: int) -> NDArray[np.float32]:
    """Samples [N, T, units] of one class, from a generator of its own."""
    random = np.random.default_rng((about.seed, label))
    axes = about.units * about.spikes  # each spike of a unit is a coordinate of its own
    theta = randman.parameters(random, axes, about.dimensions, about.alpha)
    points = random.random((about.samples, about.dimensions))
    y = randman.standardised(randman.manifold(points, theta, about.alpha))
    when = randman.spike_steps(y, steps, about.fraction).reshape(-1, about.units, about.spikes)
    x = np.zeros((about.samples, steps, about.units), np.float32)
    sample, unit, _ = np.indices(when.shape)
    x[sample, when, unit] = 1
    return x
