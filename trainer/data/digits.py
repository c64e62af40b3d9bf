"""scikit-learn's 1,797 handwritten digits, 8 x 8, grey from 0 to 1. Needs no download."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...core.arrays import Numbers
from ...core.errors import DataError
from .dataset import DataSet
from .splits import committed

FILE = "datasets/data/digits.csv.gz"  # in scikit-learn: 64 numbers and the label, a line each


def load() -> DataSet:
    """x [1797, 1, 8, 8]."""
    if (package := find_spec("sklearn")) is None:
        raise DataError(
            "the data set 'digits' comes with scikit-learn: pip install 'spikeport[train]'"
        )
    images, labels = pairs(package)
    x = np.asarray(images / 16.0, np.float32).reshape(-1, 1, 8, 8)
    y = np.asarray(labels, np.int64)
    return DataSet("digits", x, y, committed("digits", len(x)), classes=10)


def pairs(package: Any) -> tuple[Numbers, Numbers]:
    """Images [1797, 64] and labels. To import scikit-learn takes longer than to learn from them
    for an epoch, so its file is read by itself where it lies as we know it."""
    for folder in package.submodule_search_locations or ():
        if (path := Path(folder) / FILE).is_file():
            lines = np.loadtxt(path, delimiter=",")
            return lines[:, :-1], lines[:, -1]
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images, labels
