"""ImageNet's folders: train/CLASS/* and val/CLASS/*, images of any size, by Pillow.

For training: a random part of 8 to 100 % of the area and 3/4 to 4/3 in shape, at data.images.size,
mirrored by chance; else the middle of the image whose shorter side is data.images.shorter.
Then (x - mean) / deviation of each channel. `val` is for testing; of each class of `train` a
fiftieth, at least one, is for validation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...core.settings import Data, Images
from .lazy import Lazy
from .places import found

NAME = "imagenet"
MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # torchvision's, of ImageNet
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
SUFFIXES = (".jpeg", ".jpg", ".png")
FIFTIETH = 50
TRIES = 10  # to find a random part that fits
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
Box = tuple[int, int, int, int]  # left, top, right, bottom


@dataclass(eq=False)
class Pictures:
    """A Source of images [3, size, size]."""

    files: Sequence[Path]
    settings: Images

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a sample."""
        return 3, self.settings.size, self.settings.size

    def read(
        self, index: int, steps: int, random: np.random.Generator | None
    ) -> NDArray[np.float32]:
        """See lazy.Source."""
        with _opened(self.files[index]) as image:
            if random is None or not self.settings.augment:
                pixels = middle(image, self.settings)
            else:
                pixels = resized(image, part(image.size, random), self.settings.size)
                pixels = pixels[:, ::-1] if random.random() < 0.5 else pixels
        x = (pixels.astype(np.float32) / np.float32(255) - MEAN) / DEVIATION
        return np.ascontiguousarray(x.transpose(2, 0, 1))


def load(settings: Data) -> Lazy:
    """Classes in the order of their names. DataError if a folder is missing or empty."""
    get = "Get ImageNet's images as train/CLASS/*.JPEG and val/CLASS/*.JPEG"
    place = found(NAME, settings.folder, ("", "imagenet", "ILSVRC2012"), ("train", "val"), get)
    classes = sorted(folder.name for folder in (place / "train").iterdir() if folder.is_dir())
    if not classes:
        raise DataError(f"{place / 'train'} holds no folder of a class")
    files: list[Path] = []
    labels: list[int] = []
    splits: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    for half in ("train", "val"):
        for label, name in enumerate(classes):
            here = images(place / half / name)
            numbers = range(len(files), len(files) + len(here))
            held = max(1, len(here) // FIFTIETH) if half == "train" else 0
            splits["train" if half == "train" else "test"] += numbers[: len(here) - held]
            splits["validation"] += numbers[len(here) - held :]
            files += here
            labels += [label] * len(here)
    indices = {split: np.array(listed, np.int64) for split, listed in splits.items()}
    source = Pictures(files, settings.images)
    y = np.array(labels, np.int64)
    return Lazy(NAME, y, indices, len(classes), source=source, workers=settings.workers)


def images(folder: Path) -> list[Path]:
    """The images of a class."""
    there = folder.iterdir() if folder.is_dir() else ()
    here = sorted(file for file in there if file.suffix.lower() in SUFFIXES)
    if len(here) < 2 - (folder.parent.name == "val"):
        raise DataError(f"{folder} holds {len(here)} images ({', '.join(SUFFIXES)}); too few")
    return here


def part(size: tuple[int, int], random: np.random.Generator) -> Box:
    """A random part of an image of (width, height)."""
    width, height = size
    for _ in range(TRIES):
        area = width * height * random.uniform(*AREA)
        ratio = math.exp(random.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left = int(random.integers(0, width - wide + 1))
            top = int(random.integers(0, height - high + 1))
            return left, top, left + wide, top + high
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def middle(image: Any, settings: Images) -> NDArray[np.uint8]:
    """The square in the middle, of the image at the shorter side that is asked for."""
    width, height = image.size
    side = min(width, height) * settings.size / settings.shorter
    left, top = (width - side) / 2, (height - side) / 2
    return resized(image, (left, top, left + side, top + side), settings.size)


def resized(image: Any, box: Any, size: int) -> NDArray[np.uint8]:
    """A part of the image as [size, size, 3]."""
    from PIL import Image

    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))


def _opened(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise DataError(f"{path} is no image that can be read: {error}") from error
