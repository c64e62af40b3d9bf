"""scikit-learn's 1,797 handwritten digits, 8 x 8, grey from 0 to 1. Needs no download."""

import numpy as np

from ...core.errors import DataError
from .dataset import DataSet
from .splits import committed


def load() -> DataSet:
    """x [1797, 1, 8, 8]."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "the data set 'digits' comes with scikit-learn: pip install 'spikeport[train]'"
        ) from error
    images, labels = load_digits(return_X_y=True)
    x = np.asarray(images / 16.0, np.float32).reshape(-1, 1, 8, 8)
    y = np.asarray(labels, np.int64)
    return DataSet("digits", x, y, committed("digits", len(x)), classes=10)
