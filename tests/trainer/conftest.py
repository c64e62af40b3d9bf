"""What the trainer's tests share."""

import numpy as np
import pytest

from spikeport.trainer.data.dataset import DataSet


@pytest.fixture(scope="session")
def blobs() -> DataSet:
    """150 images of 8 x 8 in three classes that are easy to tell apart."""
    random = np.random.default_rng(5)
    y = np.arange(150) % 3
    x = random.random((150, 1, 8, 8), np.float32) * 0.6
    for label in range(3):
        x[y == label, :, :, 2 * label : 2 * label + 3] += 0.4
    splits = {"train": np.arange(90), "validation": np.arange(90, 120), "test": np.arange(120, 150)}
    return DataSet("blobs", x, y, splits, classes=3)
