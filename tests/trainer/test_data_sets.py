"""Readers on tiny files in the true formats, and the event camera."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.core.config import parse
from spikeport.core.errors import DataError
from spikeport.trainer import data
from spikeport.trainer.data import cifar, spoken_digits
from spikeport.trainer.encoders import camera

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
FSDD = Path(__file__).parents[3] / "shared" / "data" / "fsdd"


def batch(path: Path, name: str, count: int, seed: int) -> tuple[Any, Any]:
    """A file of records; returns its images and labels."""
    random = np.random.default_rng(seed)
    form = cifar.FORMS[name]
    images = random.integers(0, 256, (count, cifar.PIXELS), np.uint8)
    labels = (np.arange(count) % form.classes).astype(np.uint8)
    coarse = np.zeros((count, form.labels - 1), np.uint8)
    np.concatenate([coarse, labels[:, None], images], 1).tofile(path)
    return images, labels


@pytest.mark.parametrize("name", cifar.FORMS)
def test_cifar(name: str, tmp_path: Path) -> None:
    form = cifar.FORMS[name]
    place = tmp_path / form.folder
    place.mkdir()
    count = 2 * form.classes
    made = [batch(place / f, name, count, n) for n, f in enumerate((*form.train, form.test))]
    found = data.named(parse(f"[data]\nname='{name}'\nfolder='{tmp_path}'").data)
    assert found.shape == (3, 32, 32) and found.classes == form.classes
    pixels = np.concatenate([images for images, _ in made]).reshape(-1, 3, 32, 32)
    assert (np.rint(found.x * 255) == pixels).all() and found.x.max() <= 1
    assert (found.y == np.concatenate([labels for _, labels in made])).all()
    first = count * len(form.train)
    sizes = {split: len(found.indices(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": first - first // 10, "validation": first // 10, "test": count}
    assert found.indices("test").min() == first


def test_cifar_that_is_damaged(tmp_path: Path) -> None:
    form = cifar.FORMS["cifar-10"]
    for number, file in enumerate((*form.train, form.test)):
        batch(tmp_path / file, "cifar-10", 10, number)
    whole = (tmp_path / "test_batch.bin").read_bytes()
    (tmp_path / "test_batch.bin").write_bytes(whole[:-5])
    with pytest.raises(DataError, match=r"test_batch.bin has 30725 bytes, .* records of 3073"):
        cifar.load("cifar-10", str(tmp_path))
    wrong = bytearray(whole)
    wrong[2 * 3073] = 200
    (tmp_path / "test_batch.bin").write_bytes(wrong)
    with pytest.raises(DataError, match=r"record 2 \(byte 6146\) has label 200"):
        cifar.load("cifar-10", str(tmp_path))
    (tmp_path / "data_batch_3.bin").unlink()
    (tmp_path / "data_batch_3.bin").mkdir()
    with pytest.raises(DataError, match=r"data_batch_3.bin cannot be read: Is a directory"):
        cifar.load("cifar-10", str(tmp_path))
    (tmp_path / "data_batch_3.bin").rmdir()
    with pytest.raises(DataError, match=r"cifar-10 is not here: .*binary version of CIFAR-10"):
        cifar.load("cifar-10", str(tmp_path))


def record(path: Path, samples: Any, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((np.asarray(samples) * 32767).astype("<i2").tobytes())


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Ten digits, a tone each, that rises in height and swells."""
    (tmp_path / "recordings").mkdir()
    t = np.arange(4000) / 8000
    for digit in range(10):
        tone = np.sin(2 * np.pi * (300 + 250 * digit) * t) * np.minimum(t * 4, 1) * 0.9
        for number in (0, 5, 10, 11):
            record(tmp_path / "recordings" / f"{digit}_ann_{number}.wav", tone)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "channels"), [("current", 20), ("crossings", 40), ("latency", 20)]
)
def test_spoken_digits(sounds: Path, kind: str, channels: int) -> None:
    text = f"[data]\nname='spoken-digits'\nfolder='{sounds}'\nsteps=12\n"
    text += f"sound={{kind='{kind}', bands=20}}"
    found = data.named(parse(text).data)
    assert found.x.shape == (40, 12, channels) and found.temporal and found.classes == 10
    assert found.content == ("analogue" if kind == "current" else "spikes")
    sizes = {split: len(found.indices(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 20, "validation": 10, "test": 10}
    if kind == "current":
        train = found.x[found.indices("train")]
        np.testing.assert_allclose(train.mean((0, 1)), 0, atol=1e-5)
        loudest = found.x[found.y == 7].mean((0, 1)) - found.x.mean((0, 1))
        other = found.x[found.y == 1].mean((0, 1)) - found.x.mean((0, 1))
        assert loudest.argmax() > other.argmax()  # a higher tone, a higher band
    else:
        assert set(np.unique(found.x)) == {0, 1}
    if kind == "latency":
        assert (found.x.sum(1) <= 1).all()


def test_crossings_count_levels() -> None:
    bands = np.array([[[0.0], [0.3], [0.8], [1.0], [0.4]]])
    x = spoken_digits.crossings(bands, 4)[0]
    assert x[:, 0].tolist() == [0, 1, 1, 0, 0] and x[:, 1].tolist() == [0, 0, 0, 0, 1]
    assert spoken_digits.latency(bands)[0, :, 0].tolist() == [0, 0, 1, 0, 0]


def test_recordings_that_are_damaged(sounds: Path) -> None:
    path = sounds / "recordings" / "3_ann_10.wav"
    whole = path.read_bytes()
    for content, words in ((whole[:20], "cannot be read"), (whole[:60], "3_ann_10.wav: a sound")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=words):
            spoken_digits.load(str(sounds))
    record(path, np.zeros(1000), channels=2)
    with pytest.raises(DataError, match="has 2 channels of 2 bytes"):
        spoken_digits.load(str(sounds))
    with pytest.raises(DataError, match="spoken-digits is not here: .*Free Spoken Digit"):
        spoken_digits.load(str(sounds / "nowhere"))


def test_the_real_recordings() -> None:
    if not FSDD.exists():
        pytest.skip(f"the recordings are not beside this clone ({FSDD})")
    found = spoken_digits.load(str(FSDD), steps=10)
    sizes = {split: len(found.indices(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 2400, "validation": 300, "test": 300}
    assert (np.bincount(found.y) == 300).all()


def test_the_gaze_comes_home() -> None:
    path = camera.gaze(12, 3.0)
    assert path.shape == (13, 2) and (path[0] == path[-1]).all()
    assert path[4].tolist() == [3.0, 1.5] and path[8].tolist() == [0.0, 3.0]


def test_a_shift_by_whole_pixels_is_a_copy() -> None:
    x = np.random.default_rng(0).random((2, 5, 6))
    assert (camera.shifted(x, np.array([1.0, 2.0]))[:, 1:, 2:] == x[:, :-1, :-2]).all()
    half = camera.shifted(x, np.array([0.0, 0.5]))
    np.testing.assert_allclose(half[..., 1:], (x[..., 1:] + x[..., :-1]) / 2)


def test_the_camera_sees_edges_only() -> None:
    still = camera.saccades(np.full((1, 1, 8, 8), 0.7), 6, 3.0, 0.2)
    assert still.shape == (6, 1, 2, 8, 8) and not still.any()
    x = np.zeros((1, 1, 8, 8))
    x[..., 3:5, 3:5] = 1
    seen = camera.saccades(x, 6, 3.0, 0.2)
    assert set(np.unique(seen)) == {0, 1} and seen[:, :, 0].any() and seen[:, :, 1].any()
    assert (seen == camera.saccades(x, 6, 3.0, 0.2)).all()
    assert seen.sum() > camera.saccades(x, 6, 3.0, 1.0).sum() > 0
    dim = camera.saccades(x * 0.1, 6, 3.0, 0.2)
    assert 0 < dim.sum() < seen.sum()


def test_saccades_as_an_encoder() -> None:
    config = parse("[data]\nencoder='saccades'\nsteps=6")
    found = data.of(config.data)
    x, _ = found.take(found.indices("train")[:3], 6)
    assert found.shape == (2, 8, 8) and found.content == "spikes" and x.shape == (6, 3, 2, 8, 8)


def test_the_page_names_every_set() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(data.NAMES)
