"""Sets that are read sample by sample: images by Pillow, workers, training and going on."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from spikeport.core.config import parse
from spikeport.core.errors import DataError
from spikeport.trainer import data, loop
from spikeport.trainer.data import imagenet, lazy

from .test_events_sets import n_mnist  # noqa: F401 (a fixture)

CLASSES = ("n01440764", "n01443537", "n02102040")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six images a class to train, two to test, none square."""
    random = np.random.default_rng(0)
    for half, count in (("train", 6), ("val", 2)):
        for name in CLASSES:
            (tmp_path / half / name).mkdir(parents=True)
            for n in range(count):
                pixels = random.integers(0, 256, (40, 60, 3), np.uint8)
                kind = "gray" if n == 1 else "RGB"
                image = Image.fromarray(pixels)
                image = image.convert("L") if kind == "gray" else image
                image.save(tmp_path / half / name / f"{name}_{n}.JPEG", quality=95)
    return tmp_path


def found(folder: Path, more: str = "", name: str = "imagenet", seed: int = 0) -> Any:
    text = f"[data]\nname='{name}'\nfolder='{folder}'\nimages={{size=20, shorter=25}}\n{more}"
    return data.of(parse(text).data, seed)


def test_imagenet(pictures: Path) -> None:
    here = found(pictures)
    assert (here.shape, here.classes, here.temporal) == ((3, 20, 20), 3, False)
    sizes = {split: len(here.indices(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 15, "validation": 3, "test": 6}
    test = here.indices("test")
    x, y = here.take(test, 4)
    assert y.tolist() == [0, 0, 1, 1, 2, 2] and x.shape == (4, 6, 3, 20, 20) and x.strides[0] == 0
    image = Image.open(pictures / "val" / CLASSES[1] / f"{CLASSES[1]}_0.JPEG")
    side = 40 * 20 / 25
    box = (30 - side / 2, 20 - side / 2, 30 + side / 2, 20 + side / 2)
    pixels = np.asarray(image.resize((20, 20), Image.Resampling.BILINEAR, box=box), np.float64)
    wanted = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(x[0, 2], wanted.transpose(2, 0, 1), atol=1e-6)


def test_what_is_left_to_chance_follows_from_seed_draw_and_sample(pictures: Path) -> None:
    here, indices = found(pictures), np.array([0, 3, 7])
    still = here.take(indices, 1)[0]
    first, second = here.drawn(1).take(indices, 1)[0], here.drawn(2).take(indices, 1)[0]
    assert not (first == second).all() and not (first == still).all()
    assert (here.drawn(1).take(indices[::-1], 1)[0][:, ::-1] == first).all()
    assert not (found(pictures, seed=1).drawn(1).take(indices, 1)[0] == first).all()
    plain = parse("[data]\nimages={augment=false}").data.images
    assert not plain.augment
    for seed in range(200):
        left, top, right, bottom = imagenet.part((60, 40), np.random.default_rng(seed))
        assert 0 <= left < right <= 60 and 0 <= top < bottom <= 40


def test_images_that_are_none(pictures: Path) -> None:
    here = found(pictures)
    file = pictures / "train" / CLASSES[0] / f"{CLASSES[0]}_0.JPEG"
    for content in (b"no image", file.read_bytes()[:300]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=r"n01440764_0.JPEG is no image that can be read"):
            here.take(np.array([0]), 1)
    with pytest.raises(DataError, match="sample by sample, which data.encoder=poisson cannot"):
        found(pictures, "encoder='poisson'")
    for left in (pictures / "val" / CLASSES[2]).iterdir():
        left.unlink()
    with pytest.raises(DataError, match=r"val/n02102040 holds 0 images"):
        found(pictures)


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(pictures: Path, workers: int) -> None:
    alone, helped = found(pictures), found(pictures, f"workers={workers}")
    batches = alone.order("train", 4, shuffle=(0, 5))
    pairs = zip(alone.drawn(3).stream(batches, 2), helped.drawn(3).stream(batches, 2), strict=True)
    for (x, y), (x2, y2) in pairs:
        assert (x == x2).all() and (y == y2).all() and x2.strides[0] == 0


def test_a_worker_that_fails_says_which_file(pictures: Path) -> None:
    (pictures / "train" / CLASSES[1] / f"{CLASSES[1]}_2.JPEG").write_bytes(b"")
    here = found(pictures, "workers=2")
    with pytest.raises(DataError, match=r"^\S+n01443537_2.JPEG is no image that can be read") as at:
        list(here.stream(here.order("train", 4), 1))
    assert "\n" not in str(at.value)


class Deadly:
    """A source that ends its process, as the system does when memory is short."""

    shape = (1,)

    def read(self, index: int, steps: int, random: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed(pictures: Path) -> None:
    y, splits = np.zeros(4, np.int64), {"train": np.arange(4)}
    here = lazy.Lazy("x", y, splits, 1, source=Deadly(), workers=1)
    with pytest.raises(
        DataError, match=r"^x: reading ended: DataLoader worker .*(killed|exited unexpectedly)"
    ):
        list(here.stream(here.order("train", 2), 1))


def test_training_goes_on_with_the_same_bits(
    n_mnist: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Workers and cache in one run, neither in the other."""
    text = """
[data]
name = "n-mnist"
folder = "PLACE"
steps = 3
events = { size = 8 }
HELP
[model]
name = "feedforward"
hidden = [8]
[train]
epochs = 3
batch = 6
[run]
accelerator = "cpu"
progress = false
loggers = ["csv"]
threads = 1
"""
    text = text.replace("PLACE", str(n_mnist))
    plain = parse(text.replace("HELP", ""))
    helped = parse(text.replace("HELP", f"workers = 2\ncache = '{tmp_path / 'cache'}'"))
    whole = loop.fit(plain, tmp_path / "whole")
    keep = loop.Run.keep

    def until(run: loop.Run) -> None:
        keep(run)
        if run.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "keep", until)
        with pytest.raises(KeyboardInterrupt):
            loop.fit(helped, tmp_path / "parts")
    parts = loop.fit(helped, tmp_path / "parts", resume=True)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, parts.model.state_dict()[name]), name
    assert whole.metrics["test_accuracy"] == parts.metrics["test_accuracy"]
