"""Anybody's data: an .npz file with x and y.

x        [N, *shape], or [N, T, *shape] when it is said to be temporal; any kind of number
y        [N], whole numbers from 0, less than N
train, validation, test    indices, all three or none (then 60 : 20 : 20, stratified)
"""

import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.recording import DAMAGED
from ...core.settings import Data
from .dataset import SPLITS, DataSet, Indices
from .splits import stratified

COLOURS = frozenset((1, 2, 3))  # channels that images have
Content = Literal["auto", "analogue", "spikes"]


def load(path: Path, temporal: bool = False, content: Content = "auto") -> DataSet:
    """The file's data set. content 'auto': spikes if every x is 0 or 1. DataError if the file
    is missing, damaged or of another form."""
    arrays = _arrays(path)
    for name in ("x", "y"):
        if name not in arrays:
            raise DataError(f"{path} has no array '{name}'; it has {', '.join(arrays) or 'none'}")
    x = _numbers(path, "x", arrays["x"])
    y = _whole(path, "y", arrays["y"])
    binary = bool(((x == 0) | (x == 1)).all())
    if content == "spikes" and not binary:
        raise DataError(f"{path} is said to hold spikes, but x has values other than 0 and 1")
    spikes = binary if content == "auto" else content == "spikes"
    if y.ndim != 1 or len(y) != len(x):
        raise DataError(f"{path}: y has shape {list(y.shape)} for {len(x)} samples")
    if y.max(initial=0) >= max(len(y), 1):
        raise DataError(
            f"{path}: a label is {y.max()}, and there are {len(y)} samples; number the classes "
            "from 0, without gaps"
        )
    return DataSet(
        str(path),
        x,
        y,
        _splits(path, arrays, y),
        classes=int(y.max(initial=0)) + 1,
        content="spikes" if spikes else "analogue",
        temporal=temporal,
    )


def check_said(found: DataSet, settings: Data) -> None:
    """DataError where the second axis of x may be time and the settings do not say so or no: it
    would pass for one of the image, and training would go well."""
    x, steps = found.x, settings.steps
    if "temporal" in settings.model_fields_set or settings.encoder.kind != "direct":
        return
    image = x.ndim == 4 and x.shape[1] in {1} | COLOURS - {steps}
    if x.ndim > 2 and not image:
        raise DataError(
            f"{found.name}: x is {list(x.shape)}, and nothing says whether its second axis is "
            f"time; set data.temporal=true and data.steps={x.shape[1]}, or data.temporal=false "
            f"where samples are still, {list(x.shape[1:])}"
        )


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    try:
        if path.is_file() and not zipfile.is_zipfile(path):  # numpy's words advise to run pickles
            raise DataError(
                f"{path} is not an .npz file, or is cut short; save it with numpy.savez(x=, y=)"
            )
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise DataError(f"there is no data file {path}") from None
    except DAMAGED as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as .npz: {error}") from error


def _numbers(path: Path, name: str, array: NDArray[np.generic]) -> NDArray[np.float32]:
    if array.dtype.kind not in "buif" or not array.ndim:
        raise DataError(
            f"{path}: {name} is {array.dtype} {list(array.shape)}; real numbers are meant"
        )
    return np.array(array, np.float32)


def _whole(path: Path, name: str, array: NDArray[np.generic]) -> Indices:
    if array.dtype.kind not in "ui":
        raise DataError(f"{path}: {name} is {array.dtype}; whole numbers are meant")
    return np.array(array, np.int64)


def _splits(path: Path, arrays: dict[str, NDArray[np.generic]], y: Indices) -> dict[str, Indices]:
    there = [name for name in SPLITS if name in arrays]
    if there and len(there) < len(SPLITS):
        missing = next(name for name in SPLITS if name not in arrays)
        raise DataError(f"{path} has a split '{there[0]}' but none named '{missing}'")
    if there:
        return {name: _whole(path, name, arrays[name]).ravel() for name in SPLITS}
    fifth = len(y) // 5
    if not fifth:
        raise DataError(f"{path} has {len(y)} samples; five are the least that can be split")
    return stratified(y, dict(zip(SPLITS, (len(y) - 2 * fifth, fifth, fifth), strict=True)))
