"""Fashion-MNIST: 60,000 + 10,000 grey images of clothes, 28 x 28, from 0 to 1, ten classes.

Read from its four IDX files, packed or not, wherever they usually lie.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from . import places
from .dataset import DataSet
from .download import fetch_gz
from .idx import read
from .splits import committed

FILES = {  # name -> sha256 of the unpacked content
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
SOURCES = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
INSIDE = ("", "fashion-mnist", "FashionMNIST/raw")  # where in a folder of data sets


def load(folder: str = "", download: bool = False) -> DataSet:
    """x [70000, 1, 28, 28]: the 60,000 for training, then the 10,000 for testing.

    folder: look there and nowhere else. download: fetch the files if they are nowhere.
    DataError if they are not found, or not what they should be.
    """
    place = _found(folder) or (_downloaded(folder) if download else None)
    if place is None:
        raise DataError(_not_found(folder))
    images, labels = [], []
    for part in ("train", "t10k"):
        images.append(_read(place, f"{part}-images-idx3-ubyte", 3))
        labels.append(_read(place, f"{part}-labels-idx1-ubyte", 1))
        if len(images[-1]) != len(labels[-1]):
            raise DataError(
                f"{place} holds {len(images[-1])} {part} images with {len(labels[-1])} labels"
            )
    x = np.concatenate(images).astype(np.float32)[:, None] / np.float32(255)
    y = np.concatenate(labels).astype(np.int64)
    return DataSet("fashion-mnist", x, y, committed("fashion-mnist", len(x)), classes=10)


def folders(folder: str = "") -> list[Path]:
    """The folders that are looked in, in order."""
    return places.folders(folder, INSIDE) + ([] if folder else [DEBIAN])


def _file(place: Path, name: str) -> Path | None:
    return next((p for p in (place / name, place / f"{name}.gz") if p.is_file()), None)


def _found(folder: str) -> Path | None:
    """The first folder with all four files."""
    return next((p for p in folders(folder) if all(_file(p, name) for name in FILES)), None)


def _read(place: Path, name: str, axes: int) -> NDArray[np.uint8]:
    path = _file(place, name)
    assert path is not None
    return read(path, axes)


def _downloaded(folder: str) -> Path:
    own = os.environ.get("SPIKEPORT_DATA")
    place = Path(folder or own or places.cache() / "spikeport")
    place = place if folder else place / "fashion-mnist"
    for name, sha256 in FILES.items():
        if _file(place, name) is None:
            fetch_gz([f"{source}/{name}.gz" for source in SOURCES], place / f"{name}.gz", sha256)
    return place


def _not_found(folder: str) -> str:
    looked = ", ".join(str(p) for p in folders(folder))
    return (
        f"fashion-mnist is not here: no folder with its four files ({', '.join(FILES)}, each "
        f"plain or .gz) among {looked}. Name its folder (data.folder, or SPIKEPORT_DATA in the "
        "environment), install Debian's package dataset-fashion-mnist, or let it be downloaded "
        "(data.download=true)"
    )
