"""Recordings of events in their true formats, written here byte by byte from the definitions."""

import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikeport.core.config import parse
from spikeport.core.errors import DataError
from spikeport.trainer import data
from spikeport.trainer.data.events import dvs_cifar10

Event = tuple[int, int, int, int]  # t in microseconds, x, y, p


def some(seed: int, size: int, count: int = 60) -> list[Event]:
    """Events in order of time, the first at 0."""
    random = np.random.default_rng(seed)
    t = np.sort(random.integers(0, 90_000, count))
    x, y, p = random.integers(0, (size, size, 2), (count, 3)).T.tolist()
    return list(zip((t - t[0]).tolist(), x, y, p, strict=True))


def framed(events: list[Event], steps: int, size: int) -> Any:
    """Frames of equal times, plainly."""
    out = np.zeros((steps, 2, size, size), np.float32)
    end = events[-1][0] + 1
    for t, x, y, p in events:
        out[t * steps // end, p, y, x] += 1
    return out


def settings(name: str, folder: Path, more: str = "") -> Any:
    return parse(f"[data]\nname='{name}'\nfolder='{folder}'\nsteps=5\n{more}").data


def found(name: str, folder: Path, more: str = "") -> Any:
    return data.of(settings(name, folder, more))


# --- N-MNIST -----------------------------------------------------------------------------------


def n_mnist_bytes(events: list[Event]) -> bytes:
    """x, y, p in the highest bit, then 23 bits of time."""
    out = bytearray()
    for t, x, y, p in events:
        out += bytes((x, y, p << 7 | t >> 16, t >> 8 & 255, t & 255))
    return bytes(out)


@pytest.fixture
def n_mnist(tmp_path: Path) -> Path:
    for number, half in enumerate(("Train", "Test")):
        for label in range(10):
            place = tmp_path / half / str(label)
            place.mkdir(parents=True)
            for n in range(2):
                made = n_mnist_bytes(some(100 * number + 10 * label + n, 34))
                (place / f"{n:05}.bin").write_bytes(made)
    return tmp_path


def test_n_mnist(n_mnist: Path) -> None:
    here = found("n-mnist", n_mnist)
    assert (here.shape, here.classes, here.temporal) == ((2, 34, 34), 10, True)
    sizes = {split: len(here.indices(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 18, "validation": 2, "test": 20}
    x, y = here.take(np.array([7, 25]), 5)
    assert x.shape == (5, 2, 2, 34, 34) and y.tolist() == [3, 2]
    assert (x[:, 0] == framed(some(31, 34), 5, 34)).all()  # the second of class 3
    assert (x[:, 1] == framed(some(121, 34), 5, 34)).all()
    late = some(31, 34)
    assert max(e[0] for e in late) > 1 << 16  # all 23 bits count


def test_frames_by_number_once_and_smaller(n_mnist: Path) -> None:
    here = found("n-mnist", n_mnist, "events={by='number', once=true, size=17}")
    assert here.shape == (2, 17, 17) and here.content == "spikes"
    x, _ = here.take(np.array([0]), 4)
    wanted = np.zeros((4, 2, 17, 17))
    for i, (_, px, py, p) in enumerate(some(0, 34)):
        wanted[i * 4 // 60, p, py // 2, px // 2] = 1
    assert (x[:, 0] == wanted).all()
    cut = found("n-mnist", n_mnist, "events={duration=20.0}").take(np.array([0]), 4)[0]
    early = [e for e in some(0, 34) if e[0] < 20_000]
    assert cut.sum() == len(early) < 60
    scaled = found("n-mnist", n_mnist, "events={scaled=true}").take(np.array([0]), 4)[0]
    assert scaled.max() == 1


def test_n_mnist_that_is_damaged(n_mnist: Path) -> None:
    file = n_mnist / "Train" / "0" / "00000.bin"
    whole = file.read_bytes()
    here = found("n-mnist", n_mnist)
    for content, says in (
        (whole[:-2], "298 bytes are no whole events of 5"),
        (b"", "holds no events"),
        (b"\xf0" + whole[1:], "an event has x = 240; the sensor has 0 to 33"),
        (whole[-5:] + whole[:-5], "not in order of time"),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"0/00000.bin: .*{says}"):
            here.take(np.array([0]), 5)
    for more in ("", f"cache = '{n_mnist / 'kept'}'"):
        here = found("n-mnist", n_mnist, more)
        file.unlink()
        with pytest.raises(DataError, match=r"0/00000.bin cannot be read: No such file"):
            here.take(np.array([0]), 5)
        file.mkdir()
        with pytest.raises(DataError, match=r"0/00000.bin cannot be read: Is a directory"):
            here.take(np.array([0]), 5)
        file.rmdir()
        file.write_bytes(whole)
    for left in (n_mnist / "Test" / "4").iterdir():
        left.unlink()
    with pytest.raises(DataError, match=r"Test/4 holds no .bin file"):
        found("n-mnist", n_mnist)
    with pytest.raises(DataError, match=r"n-mnist is not here: .*Train, Test.*Train.zip and Test"):
        found("n-mnist", n_mnist / "nowhere")


# --- DVS-CIFAR10 -------------------------------------------------------------------------------


def aedat2(events: list[Event], start: int = 5_000) -> bytes:
    """AEDAT 2.0: text, then big-endian address and time; with an event of no pixel among them."""
    out = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"
    out += struct.pack(">II", 0x8000, start)
    for t, x, y, p in events:
        address = (127 - y) << 8 | (127 - x) << 1 | (1 - p)
        out += struct.pack(">II", address, start + t)
    return out


@pytest.fixture
def dvs_cifar(tmp_path: Path) -> Path:
    for label, name in enumerate(dvs_cifar10.CLASSES):
        (tmp_path / name).mkdir()
        for n in range(12):
            made = aedat2(some(100 * label + n, 128))
            (tmp_path / name / f"cifar10_{name}_{n}.aedat").write_bytes(made)
    return tmp_path


def test_dvs_cifar10(dvs_cifar: Path) -> None:
    here = found("dvs-cifar10", dvs_cifar)
    assert here.shape == (2, 128, 128)
    sizes = {split: len(here.indices(split)) for split in ("train", "validation", "test")}
    assert sizes == {"train": 100, "validation": 10, "test": 10}
    test = here.indices("test")
    assert here.y[test].tolist() == list(range(10))
    x, _ = here.take(test[3:4], 5)  # number 11, after 10, not after 1
    assert (x[:, 0] == framed(some(311, 128), 5, 128)).all()


def test_dvs_cifar10_that_is_damaged(dvs_cifar: Path) -> None:
    file = dvs_cifar / "airplane" / "cifar10_airplane_0.aedat"
    whole, here = file.read_bytes(), found("dvs-cifar10", dvs_cifar)
    for content, says in (
        (b"#!AER-DAT1.0\r\n", "does not begin with #!AER-DAT2.0"),
        (b"#!AER-DAT2.0", "header has no end"),
        (whole[:-3], "no whole events of 8"),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"airplane_0.aedat: .*{says}"):
            here.take(np.array([0]), 5)


# --- DVS128 Gesture ----------------------------------------------------------------------------


def aedat31(events: list[Event], each: int = 25) -> bytes:
    """AEDAT 3.1: a header, then little-endian packets; one of another type among them."""
    out = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
    out += struct.pack("<hhiiiiii", 2, 0, 4, 0, 0, 3, 3, 3) + bytes(12)  # frames, IMU: skipped
    for at in range(0, len(events), each):
        some = events[at : at + each]
        out += struct.pack("<hhiiiiii", 1, 0, 8, 4, 0, len(some), len(some), len(some))
        for t, x, y, p in some:
            out += struct.pack("<II", x << 17 | y << 2 | p << 1 | 1, t)
    return out


GESTURES = ((1, 10_000, 40_000), (11, 40_000, 70_000))


@pytest.fixture
def gestures(tmp_path: Path) -> Path:
    halves = {"train": ("user01_led", "user02_lab"), "test": ("user29_led",)}
    for half, names in halves.items():
        (tmp_path / f"trials_to_{half}.txt").write_text("\n".join(f"{n}.aedat" for n in names))
        for n in names:
            events = some(len(n) + ord(n[5]), 128, 200)
            (tmp_path / f"{n}.aedat").write_bytes(aedat31(events))
            rows = "".join(f"{c},{a},{b}\n" for c, a, b in GESTURES)
            (tmp_path / f"{n}_labels.csv").write_text(f"class,startTime_usec,endTime_usec\n{rows}")
    return tmp_path


def test_gestures(gestures: Path) -> None:
    here = found("dvs128-gesture", gestures)
    assert (here.shape, here.classes) == ((2, 128, 128), 11)
    assert here.y.tolist() == [0, 10] * 3
    named = {split: here.indices(split).tolist() for split in ("train", "validation", "test")}
    assert named == {"train": [0, 1], "validation": [2, 3], "test": [4, 5]}
    x, _ = here.take(np.array([1]), 5)
    whole = some(10 + ord("1"), 128, 200)
    part = [(t - 40_000, px, py, p) for t, px, py, p in whole if 40_000 <= t < 70_000]
    assert len(part) > 20
    assert (x[:, 0] == framed(part, 5, 128)).all()


def test_gestures_that_are_damaged(gestures: Path) -> None:
    file, table = gestures / "user01_led.aedat", gestures / "user01_led_labels.csv"
    whole, here = file.read_bytes(), found("dvs128-gesture", gestures)
    for content, says in (
        (whole[:-3], "a packet of 25 events of 8 bytes is cut off"),
        (whole[: whole.index(b"HEADER") + 20], "a packet's header is cut off"),
        (b"#!AER-DAT2.0\r\n" + whole, "does not begin with #!AER-DAT3.1"),
        (b"#!AER-DAT3.1\r\n", "no #!END-HEADER"),
    ):
        file.write_bytes(content)
        with pytest.raises(DataError, match=rf"user01_led.aedat gesture-1: .*{says}"):
            here.take(np.array([0]), 5)
    for row, says in (
        ("12,1,2", "class 12; 1 to 11"),
        ("a,b", "is not class"),
        ("3,9,9", "9 to 9"),
    ):
        table.write_text(f"class,startTime_usec,endTime_usec\n{row}\n")
        with pytest.raises(DataError, match=rf"user01_led_labels.csv:2.*{says}"):
            found("dvs128-gesture", gestures)
    table.write_text("class,startTime_usec,endTime_usec\n")
    with pytest.raises(DataError, match=r"user01_led_labels.csv names no gesture"):
        found("dvs128-gesture", gestures)
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="user01_led_labels.csv is no text"):
        found("dvs128-gesture", gestures)
    table.unlink()
    with pytest.raises(DataError, match="user01_led_labels.csv is not beside"):
        found("dvs128-gesture", gestures)


@pytest.mark.parametrize(
    "half, names, says",
    [
        ("test", "user29_led user01_led", "user01_led.aedat stands in both trials_to_train.txt"),
        ("test", "user29_led user29_led", "trials_to_test.txt names user29_led.aedat more than"),
        ("train", "user01_led", "trials_to_train.txt names recordings of user01 only"),
        ("train", "nobody", "names nobody.aedat, which is not beside it"),
    ],
)
def test_gestures_whose_lists_cannot_be(gestures: Path, half: str, names: str, says: str) -> None:
    lines = "\n".join(f"{name}.aedat" for name in names.split())
    (gestures / f"trials_to_{half}.txt").write_text(lines)
    with pytest.raises(DataError, match=says):
        found("dvs128-gesture", gestures)


# --- SHD ---------------------------------------------------------------------------------------


def shd_file(path: Path, count: int, seed: int) -> list[tuple[Any, Any]]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        times = np.sort(random.random(50) * 0.9).astype(np.float16)
        made.append((times, random.integers(0, 700, 50).astype(np.uint16)))
    with h5py.File(path, "w") as file:
        for key, part, kind in (("times", 0, np.float16), ("units", 1, np.uint16)):
            held = file.create_dataset(f"spikes/{key}", (count,), h5py.vlen_dtype(kind))
            for n, both in enumerate(made):
                held[n] = both[part]
        file["labels"] = np.arange(count) % 20
    return made


def test_shd(tmp_path: Path) -> None:
    train = shd_file(tmp_path / "shd_train.h5", 40, 0)
    shd_file(tmp_path / "shd_test.h5", 20, 1)
    here = found("shd", tmp_path, "events={duration=1000.0}")
    assert (here.shape, here.classes) == ((700,), 20)
    x, y = here.take(np.array([3]), 5)
    wanted = np.zeros((5, 700))
    for t, unit in zip(*train[3], strict=True):
        wanted[int(float(t) * 5), unit] += 1
    assert y.tolist() == [3] and (x[:, 0] == wanted).all()
    with pytest.raises(DataError, match="size is 8, but shd has no pixels"):
        found("shd", tmp_path, "events={size=8}")
    with h5py.File(tmp_path / "shd_test.h5", "a") as file:
        del file["labels"]
        file["labels"] = np.full(20, 0.5)
    with pytest.raises(DataError, match=r"shd_test.h5: labels are float64; whole numbers"):
        found("shd", tmp_path)
    with h5py.File(tmp_path / "shd_test.h5", "a") as file:
        del file["labels"]
    with pytest.raises(DataError, match=r"shd_test.h5 has no labels"):
        found("shd", tmp_path)
    (tmp_path / "shd_test.h5").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"shd_test.h5 is no HDF5 file"):
        found("shd", tmp_path)


def vlen(values: list[float], kind: type) -> Any:
    """Forty recordings that are alike."""
    return "vlen", [np.array(values, kind)] * 40, h5py.vlen_dtype(kind)


@pytest.mark.parametrize(
    "key, held, says",
    [
        ("labels", 3, r"shd_train.h5: labels have shape \[\]"),
        ("labels", np.zeros((40, 1), int), r"shd_train.h5: labels have shape \[40, 1\]"),
        ("spikes/times", np.zeros((40, 3)), r"spikes/times is no array \[recordings\]"),
        ("spikes/times", ["a"] * 40, "spikes/times holds <class 'str'>; times in seconds"),
        ("spikes/units", vlen([0.5], np.float32), "spikes/units holds float32; whole numbers"),
        ("spikes/units", vlen([900] * 50, np.uint16), "recording-0: an event has x = 900"),
        ("spikes/units", vlen([1] * 49, np.uint16), "recording-0: 50 times for 49 units"),
        ("spikes/times", vlen([np.nan] * 50, np.float16), "recording-0: 50 of 50 times are such"),
        ("spikes/times", vlen([-1.0] * 50, np.float16), "times are such as -1; 0 and above"),
    ],
)
def test_shd_of_another_form(tmp_path: Path, key: str, held: Any, says: str) -> None:
    shd_file(tmp_path / "shd_train.h5", 40, 0)
    shd_file(tmp_path / "shd_test.h5", 20, 1)
    with h5py.File(tmp_path / "shd_train.h5", "a") as file:
        del file[key]
        if isinstance(held, tuple):
            made = file.create_dataset(key, (40,), held[2])
            for n, values in enumerate(held[1]):
                made[n] = values
        else:
            file[key] = held
    with pytest.raises(DataError, match=says):
        found("shd", tmp_path).take(np.array([0]), 5)


# --- the cache ---------------------------------------------------------------------------------


def test_the_cache_gives_the_same_frames(n_mnist: Path, tmp_path: Path) -> None:
    kept = tmp_path / "cache"
    plain, cached = found("n-mnist", n_mnist), found("n-mnist", n_mnist, f"cache='{kept}'")
    first, again = (cached.take(np.arange(4), 5)[0] for _ in range(2))
    assert (first == plain.take(np.arange(4), 5)[0]).all() and (first == again).all()
    files = sorted(kept.rglob("*.npy"))
    assert len(files) == 4 and np.load(files[0]).dtype == np.uint8
    file = n_mnist / "Train" / "0" / "00000.bin"
    file.write_bytes(n_mnist_bytes(some(999, 34)))  # another file: another key
    changed = cached.take(np.array([0]), 5)[0][:, 0]
    assert (changed == framed(some(999, 34), 5, 34)).all()
    for path in files:
        path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(DataError, match=r"\.npy cannot be read .*delete it, it is a cache"):
        cached.take(np.array([2]), 5)
    blocked = found("n-mnist", n_mnist, f"cache='{file}'")
    with pytest.raises(DataError, match=r"data.cache: cannot keep .*make room, or name another"):
        blocked.take(np.array([0]), 5)
