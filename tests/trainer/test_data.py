"""Data sets: the files as they are, damaged, and missing."""

import contextlib
import gzip
import hashlib
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from spikeport.core.config import parse
from spikeport.core.errors import DataError
from spikeport.core.recording import load_array
from spikeport.trainer import data
from spikeport.trainer.data import digits, download, fashion_mnist, idx, splits
from spikeport.trainer.data.dataset import DataSet

Arrays = dict[str, np.ndarray[Any, Any]]


def packed(array: np.ndarray[Any, Any]) -> bytes:
    """An IDX file of bytes."""
    return struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Arrays:
    """A tiny Fashion-MNIST: its arrays by file name, and split lists to go with it."""
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 30), ("t10k", 10)):
        arrays[f"{part}-images-idx3-ubyte"] = random.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    (tmp_path / "lists").mkdir()
    text = "samples 40\ntrain rest\nvalidation\n0-9\ntest\n30-39\n"
    (tmp_path / "lists" / "fashion-mnist.txt").write_text(text)
    monkeypatch.setattr(splits, "FOLDER", tmp_path / "lists")
    return arrays


def put(arrays: Arrays, folder: Path, gz: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        content = packed(array)
        if gz:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("inside", ["", "fashion-mnist", "FashionMNIST/raw"])
def test_fashion_mnist_from_a_folder(small: Arrays, tmp_path: Path, gz: bool, inside: str) -> None:
    put(small, tmp_path / "here" / inside, gz)
    found = data.load("fashion-mnist", str(tmp_path / "here"))
    assert found.shape == (1, 28, 28) and found.classes == 10
    assert found.x.dtype == np.float32 and found.content == "analogue"
    images = np.concatenate([small["train-images-idx3-ubyte"], small["t10k-images-idx3-ubyte"]])
    assert np.array_equal(np.round(found.x[:, 0] * 255).astype(np.uint8), images)
    assert (found.x.min(), found.x.max()) == (0.0, 1.0)
    assert found.indices("test").tolist() == list(range(30, 40))
    assert found.y[found.indices("test")].tolist() == list(range(10))


def test_fashion_mnist_from_the_environment(
    small: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKEPORT_DATA", str(tmp_path / "mine"))
    put(small, tmp_path / "mine" / "fashion-mnist", True)
    assert len(data.load("fashion-mnist").x) == 40


def test_fashion_mnist_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SPIKEPORT_DATA", str(tmp_path / "own"))
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(DataError) as caught:
        data.load("fashion-mnist")
    said = str(caught.value)
    for part in ("cache/spikeport", "own", "debian", "dataset-fashion-mnist", "data.download=true"):
        assert part in said
    assert "\n" not in said
    with pytest.raises(DataError, match="elsewhere"):
        data.load("fashion-mnist", str(tmp_path / "elsewhere"))


def test_a_folder_with_three_of_four_files(small: Arrays, tmp_path: Path) -> None:
    small.pop("t10k-labels-idx1-ubyte")
    put(small, tmp_path / "here", False)
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte"):
        data.load("fashion-mnist", str(tmp_path / "here"))


def test_images_without_their_labels(small: Arrays, tmp_path: Path) -> None:
    small["train-labels-idx1-ubyte"] = small["train-labels-idx1-ubyte"][:-1]
    put(small, tmp_path / "here", False)
    with pytest.raises(DataError, match="30 train images with 29 labels"):
        data.load("fashion-mnist", str(tmp_path / "here"))


def test_other_data_than_the_lists_were_made_for(small: Arrays, tmp_path: Path) -> None:
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        small[name] = small[name][:-1]
    put(small, tmp_path / "here", False)
    with pytest.raises(DataError, match="39 samples, its split lists 40"):
        data.load("fashion-mnist", str(tmp_path / "here"))


GOOD = packed(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize("content", [GOOD[:-1], GOOD[:10], b"", GOOD + b"x"])
@pytest.mark.parametrize("gz", [False, True])
def test_idx_of_the_wrong_length(tmp_path: Path, content: bytes, gz: bool) -> None:
    path = tmp_path / ("file.gz" if gz else "file")
    path.write_bytes(gzip.compress(content) if gz else content)
    with pytest.raises(DataError, match=str(path)):
        idx.read(path, 3)


def test_damaged_gz(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    whole = gzip.compress(GOOD)
    path.write_bytes(whole)
    assert idx.read(path, 3).tolist() == np.arange(24).reshape(2, 3, 4).tolist()
    for content in (whole[:-9], whole[:12], b"no gz", whole[:14] + b"\xff\xff\xff" + whole[17:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="file.gz"):
            idx.read(path, 3)


def test_idx_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    with pytest.raises(DataError, match="0x00000803.*1 axes.*0x00000801"):
        idx.read(path, 1)
    path.write_bytes(struct.pack(">IIII", 0x0803, 2**31, 2**31, 2**31))
    with pytest.raises(DataError, match="over the limit"):
        idx.read(path, 3)


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """(address, path -> content) of a server on this machine."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200 if self.path in files else 404)
            self.end_headers()
            self.wfile.write(files.get(self.path, b""))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", files
    http.shutdown()
    thread.join()
    http.server_close()


def test_download_when_asked(
    small: Arrays,
    tmp_path: Path,
    server: tuple[str, dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, files = server
    contents = {name: packed(array) for name, array in small.items()}
    files |= {f"/b/{name}.gz": gzip.compress(content) for name, content in contents.items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(fashion_mnist, "FILES", sums)
    monkeypatch.setattr(fashion_mnist, "SOURCES", (f"{address}/a", f"{address}/b"))
    folder = tmp_path / "new"
    with pytest.raises(DataError):
        data.load("fashion-mnist", str(folder))
    assert not folder.exists()
    assert len(data.load("fashion-mnist", str(folder), download=True).x) == 40
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{n}.gz" for n in small)
    files.clear()  # nothing is fetched twice
    assert len(data.load("fashion-mnist", str(folder), download=True).x) == 40


@pytest.mark.parametrize(
    "content",
    [gzip.compress(GOOD), gzip.compress(b"right")[:-3], b"no gz"],
    ids=["another file", "cut", "no gz"],  # a gz holds its hour: no name for a case
)
def test_a_wrong_download_leaves_nothing(
    tmp_path: Path, server: tuple[str, dict[str, bytes]], content: bytes
) -> None:
    address, files = server
    files["/x.gz"] = content
    right = hashlib.sha256(b"right").hexdigest()
    sources = [f"{address}/x.gz", f"{address}/missing.gz"]
    with pytest.raises(DataError, match=r"x\.gz could not be downloaded: .*404"):
        download.fetch_gz(sources, tmp_path / "x.gz", right)
    assert list(tmp_path.iterdir()) == []


def test_the_lists_of_digits() -> None:
    found = data.load("digits")
    assert found.x.shape == (1797, 1, 8, 8) and found.x.max() == 1.0
    check_lists(found, {"train": 1077, "validation": 360, "test": 360})


def test_digits_are_scikit_learns_wherever_its_file_lies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, labels = load_digits(return_X_y=True)
    for file in (digits.FILE, "elsewhere.csv.gz"):
        monkeypatch.setattr(digits, "FILE", file)
        found = digits.load()
        assert np.array_equal(found.x.reshape(1797, 64) * 16, images)
        assert np.array_equal(found.y, labels)


def test_digits_are_read_without_scikit_learn() -> None:
    code = "import sys; from spikeport.trainer.data import digits; digits.load()"
    said = f"{code}; print([m for m in ('sklearn', 'scipy') if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", said], text=True) == "[]\n"


def test_the_lists_of_fashion_mnist() -> None:
    lists = splits.committed("fashion-mnist", 70000)
    assert {k: len(v) for k, v in lists.items()} == {
        "train": 54000,
        "validation": 6000,
        "test": 10000,
    }
    assert np.array_equal(np.sort(np.concatenate(list(lists.values()))), np.arange(70000))
    assert lists["test"].tolist() == list(range(60000, 70000))
    try:
        found = data.load("fashion-mnist")
    except DataError as error:
        pytest.skip(str(error))
    check_lists(found, {"train": 54000, "validation": 6000, "test": 10000})


def check_lists(found: DataSet, sizes: dict[str, int]) -> None:
    """Disjoint, complete and with every class in proportion."""
    lists = {name: found.indices(name) for name in sizes}
    assert {name: len(indices) for name, indices in lists.items()} == sizes
    assert np.array_equal(np.sort(np.concatenate(list(lists.values()))), np.arange(len(found.y)))
    whole = np.bincount(found.y) / len(found.y)
    for indices in lists.values():
        assert np.abs(np.bincount(found.y[indices]) - whole * len(indices)).max() <= 2


def test_the_lists_can_be_made_again() -> None:
    labels = data.load("digits").y
    made = splits.stratified(labels, {"train": 1077, "validation": 360, "test": 360})
    committed = splits.committed("digits", 1797)
    assert all(np.array_equal(made[name], committed[name]) for name in made)


@given(
    st.lists(st.integers(0, 4), min_size=3, max_size=200),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_any_split_survives_writing(labels: list[int], seed: int, random: Any) -> None:
    y = np.array(labels)
    first = random.randint(1, len(y) - 2)
    second = random.randint(1, len(y) - first - 1)
    sizes = {"train": first, "validation": second, "test": len(y) - first - second}
    made = splits.stratified(y, sizes, seed)
    assert {name: len(indices) for name, indices in made.items()} == sizes
    again = splits.read(splits.written(made, "train", "made up"), "here")
    assert all(np.array_equal(made[name], again[name]) for name in made)
    for indices in made.values():
        share = np.bincount(y, minlength=5) * len(indices) / len(y)
        assert np.abs(np.bincount(y[indices], minlength=5) - share).max() <= 5


def test_a_list_with_a_mistake() -> None:
    with pytest.raises(DataError, match="here: '3-x' is no index"):
        splits.read("samples 5\ntest\n1 3-x\n", "here")


# --- batches ----------------------------------------------------------------------------------


def test_a_still_image_is_held_without_copies(blobs: DataSet) -> None:
    x, y = next(blobs.batches("train", steps=6, batch=7))
    assert x.shape == (6, 7, 1, 8, 8) and x.strides[0] == 0 and y.tolist() == [0, 1, 2] * 2 + [0]
    assert np.array_equal(x[3], blobs.x[:7])


def test_every_sample_once_an_epoch(blobs: DataSet) -> None:
    orders = {e: blobs.order("train", 16, shuffle=(3, e)) for e in (0, 1)}
    for batches in orders.values():
        assert [len(b) for b in batches] == [16] * 5 + [10]
        assert np.array_equal(np.sort(np.concatenate(batches)), blobs.indices("train"))
    again = blobs.order("train", 16, shuffle=(3, 0))
    assert all(np.array_equal(a, b) for a, b in zip(orders[0], again, strict=True))
    assert not np.array_equal(orders[0][0], orders[1][0])
    assert not np.array_equal(orders[0][0], blobs.order("train", 16, shuffle=(4, 0))[0])
    assert [len(b) for b in blobs.order("train", 16, drop_last=True)] == [16] * 5
    assert [len(b) for b in blobs.order("train", 100, drop_last=True)] == [90]


def test_processes_share_each_batch(blobs: DataSet) -> None:
    whole = blobs.order("test", 8, shuffle=(0, 0))
    parts = [blobs.order("test", 8, shuffle=(0, 0), share=(rank, 3)) for rank in range(3)]
    for n, batch in enumerate(whole):
        shared = np.concatenate([part[n] for part in parts])
        assert np.array_equal(np.sort(shared), np.sort(batch))


def test_an_unknown_split(blobs: DataSet) -> None:
    with pytest.raises(DataError, match="no split 'dev'; there are train, validation, test"):
        blobs.indices("dev")


def test_nobody_changes_the_data(blobs: DataSet) -> None:
    with pytest.raises(ValueError, match="read-only"):
        blobs.x[0] = 0


# --- anybody's .npz ---------------------------------------------------------------------------


def npz(tmp_path: Path, **arrays: Any) -> str:
    np.savez(tmp_path / "data.npz", **arrays)
    return str(tmp_path / "data.npz")


def test_npz(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(50, 4)), np.arange(50) % 5
    found = data.load(npz(tmp_path, x=x, y=y))
    assert (found.shape, found.classes, found.content) == ((4,), 5, "analogue")
    assert [len(found.indices(s)) for s in ("train", "validation", "test")] == [30, 10, 10]
    assert np.bincount(found.y[found.indices("test")]).tolist() == [2] * 5
    lists = {"train": [3, 1], "validation": [0], "test": [2, 4]}
    found = data.load(npz(tmp_path, x=x, y=y, **lists))
    assert {name: found.indices(name).tolist() for name in lists} == lists


def test_npz_with_time(tmp_path: Path) -> None:
    x = (np.random.default_rng(0).random((20, 6, 3)) < 0.4).astype(np.uint8)
    path = npz(tmp_path, x=x, y=np.arange(20) % 2)
    found = data.load(path, temporal=True)
    assert (found.shape, found.content) == ((3,), "spikes")
    batch, _ = next(found.batches("test", steps=6, batch=4))
    assert batch.shape == (6, 4, 3)
    assert np.array_equal(batch.swapaxes(0, 1), x[found.indices("test")])
    with pytest.raises(DataError, match="has 6 steps, 4 are asked for; set data.steps=6"):
        next(found.batches("test", steps=4, batch=4))
    assert data.load(path).shape == (6, 3)
    assert data.load(path, content="analogue").content == "analogue"


@pytest.mark.parametrize("shape", [(20, 6, 3), (20, 6, 3, 3), (20, 3, 5, 5), (20, 2, 1, 3, 3)])
def test_an_axis_that_may_be_time_must_be_said_to_be(shape: Any, tmp_path: Path) -> None:
    """Else it would pass for one of the image, and training would go well."""
    told = f'[data]\nname = "{npz(tmp_path, x=np.zeros(shape), y=np.arange(20) % 2)}"\nsteps = 3\n'
    words = rf"nothing says whether its second axis is time; .*data.steps={shape[1]}"
    with pytest.raises(DataError, match=words):
        data.named(parse(told).data)
    assert data.named(parse(told + "temporal = true\n").data).shape == shape[2:]
    assert data.named(parse(told + "temporal = false\n").data).shape == shape[1:]
    again = parse(parse(told + "temporal = false\n").to_toml())
    assert data.named(again.data).shape == shape[1:]


@pytest.mark.parametrize("shape", [(20, 3), (20, 1, 5, 5), (20, 2, 5, 5)])
def test_images_and_rows_need_no_word(shape: Any, tmp_path: Path) -> None:
    for steps in (1, 3):
        path = npz(tmp_path, x=np.zeros(shape), y=np.arange(20) % 2)
        told = f'[data]\nname = "{path}"\nsteps = {steps}\n'
        assert data.named(parse(told).data).shape == shape[1:]


X, Y = np.zeros((10, 3)), np.arange(10) % 2
LISTS = {"train": np.arange(4), "validation": np.arange(4, 6), "test": np.arange(6, 10)}


@pytest.mark.parametrize(
    "arrays, words",
    [
        ({"x": X}, "no array 'y'; it has x"),
        ({"x": X, "y": Y[:-1]}, r"y has shape \[9\] for 10 samples"),
        ({"x": X, "y": Y * 0.5}, "y is float64; whole numbers"),
        ({"x": X, "y": Y - 1}, "labels run from -1"),
        ({"x": X, "y": Y * 1000}, "a label is 1000, and there are 10 samples"),
        ({"x": X * np.nan, "y": Y}, "not finite"),
        ({"x": np.array(["a"] * 10), "y": Y}, "real numbers are meant"),
        ({"x": X[:0], "y": Y[:0]}, "five are the least"),
        ({"x": X[:, 0], "y": Y}, r"\[N, \.\.\.\] is meant"),
        ({"x": X, "y": Y, "train": LISTS["train"]}, "none named 'validation'"),
        ({"x": X, "y": Y, **LISTS, "test": np.array([99])}, "samples 0 to 99"),
        ({"x": X, "y": Y, **LISTS, "test": np.array([0])}, "more than once"),
        ({"x": X, "y": Y, **LISTS, "test": np.array([], int)}, "'test' is empty"),
    ],
)
def test_npz_of_another_form(tmp_path: Path, arrays: Arrays, words: str) -> None:
    with pytest.raises(DataError, match=words):
        data.load(npz(tmp_path, **arrays))


def test_npz_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with pytest.raises(DataError, match="there is no data file"):
        data.load(str(path))
    np.savez(path, x=X, y=Y)
    whole = path.read_bytes()
    array = tmp_path / "x.npy"
    np.save(array, X)
    cut = whole[:100], b"", b"hello", whole[: len(whole) // 2]
    for content in (*cut, array.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match="is not an .npz file, or is cut short; save it with"):
            data.load(str(path))
    np.savez(path, x=np.array([{}] * 10), y=Y)  # objects need pickle, which runs code
    with pytest.raises(DataError, match="cannot be read"):
        data.load(str(path))


def test_npz_that_was_damaged(tmp_path: Path) -> None:
    """Wherever it is, one clear error."""
    path = tmp_path / "data.npz"
    np.savez_compressed(path, x=np.random.default_rng(0).random((10, 3)), y=Y)
    whole = path.read_bytes()
    for start in range(0, len(whole) - 8, 4):
        path.write_bytes(whole[:start] + b"\x55" * 8 + whole[start + 8 :])
        with contextlib.suppress(DataError):  # nothing else; what is of no account may be damaged
            data.load(str(path))


def test_npy_whose_header_was_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, X)
    whole = path.read_bytes()
    for start in range(0, 128, 2):
        path.write_bytes(whole[:start] + b"\x55" * 8 + whole[start + 8 :])
        with contextlib.suppress(DataError):
            load_array(path)
    path.write_bytes(whole[:20] + b"((((" + whole[24:])
    with pytest.raises(DataError, match="not a readable"):
        load_array(path)


def test_graded_values_are_no_spikes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="other than 0 and 1"):
        data.load(npz(tmp_path, x=X + 0.5, y=Y), content="spikes")


def test_an_unknown_name() -> None:
    with pytest.raises(DataError, match="no data set 'mnist'; give digits, fashion-mnist"):
        data.load("mnist")


def test_data_needs_no_torch() -> None:
    heavy = "[m for m in ('torch', 'sklearn', 'lightning_fabric') if m in sys.modules]"
    code = f"import sys, spikeport.trainer.data, spikeport.core.config; print({heavy})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
