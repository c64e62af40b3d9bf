"""CIFAR-10 and CIFAR-100: 50,000 + 10,000 colour images, 32 x 32, from 0 to 1.

The binary version is read: records of one label byte (CIFAR-100: a coarse and a fine one) and
3,072 bytes of red, green and blue rows (Krizhevsky 2009). The Python version holds pickles, which
run code when they are read, and is refused.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from .dataset import DataSet
from .places import found
from .splits import stratified

PIXELS = 3 * 32 * 32
TENTH = 10  # of the training images are for validation


@dataclass(frozen=True)
class Form:
    """Files in order, label bytes of a record, and where they usually lie."""

    classes: int
    train: tuple[str, ...]
    test: str
    labels: int
    folder: str


FORMS = {
    "cifar-10": Form(
        10,
        tuple(f"data_batch_{n}.bin" for n in range(1, 6)),
        "test_batch.bin",
        1,
        "cifar-10-batches-bin",
    ),
    "cifar-100": Form(100, ("train.bin",), "test.bin", 2, "cifar-100-binary"),
}


def load(name: str, folder: str = "") -> DataSet:
    """x [N, 3, 32, 32], those for training first; a tenth of them, each class in proportion, is
    for validation. DataError if a file is missing or not what it should be."""
    form = FORMS[name]
    files = (*form.train, form.test)
    get = f"Get the binary version of {name.upper()} (the Python version's pickles run code)"
    place = found(name, folder, ("", form.folder, name), files, get)
    parts = [records(place / file, form) for file in files]
    x = np.concatenate([images for images, _ in parts]).astype(np.float32) / np.float32(255)
    y = np.concatenate([labels for _, labels in parts]).astype(np.int64)
    first = len(y) - len(parts[-1][1])
    held = first // TENTH
    splits = stratified(y[:first], {"train": first - held, "validation": held})
    splits["test"] = np.arange(first, len(y))
    return DataSet(name, x, y, splits, form.classes)


def records(path: Path, form: Form) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(images [N, 3, 32, 32], labels [N]) of a file."""
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    size = form.labels + PIXELS
    if not len(content) or len(content) % size:
        raise DataError(
            f"{path} has {len(content)} bytes, which are no whole records of {size}; it is cut "
            "off, or not the binary version: get it again"
        )
    rows = content.reshape(-1, size)
    labels = rows[:, form.labels - 1]
    if labels.max() >= form.classes:
        wrong = int(np.argmax(labels >= form.classes))
        raise DataError(
            f"{path}: record {wrong} (byte {wrong * size}) has label {labels[wrong]}; "
            f"{form.classes} classes allow 0 to {form.classes - 1}"
        )
    return rows[:, form.labels :].reshape(-1, 3, 32, 32), labels
