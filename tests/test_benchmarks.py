"""What becomes of a benchmark's figures: which are compared, which grow, and the files."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from spikeport.benchmarks import __main__ as command
from spikeport.benchmarks import engines, kernels_gpu, library, neurons, picture, training
from spikeport.benchmarks.figure import Figure

MEASURED = [
    Figure("bench/conv, T=4, B=64/ours", 2.0, "ms", None, 1.0, 3.0),
    Figure("bench/conv, T=4, B=64/theirs", 4.0, "ms", None, 3.0, 5.0),
    Figure("bench/conv, T=4, B=64/ours over theirs", 2.0, "times", 3.0),
    Figure("bench/norse/samples=10/peak", 7.0, "MiB"),
    Figure("bench/norse/samples=2/peak", 5.0, "MiB"),
    Figure("bench/loihi/samples=2/peak", 6.0, "MiB"),
]


def test_panels() -> None:
    lines, rows = picture.growths(MEASURED), picture.comparisons(MEASURED)
    (panel,) = lines
    assert panel == ("bench/peak", "samples", "MiB")
    assert [value for value, _ in lines[panel]["norse"]] == [2, 10]
    assert [f.value for _, f in lines[panel]["loihi"]] == [6]
    assert {k: [f.value for f in v] for k, v in rows.items()} == {
        ("bench/conv, T=4, B=64", "ms"): [2, 4],
        ("bench/conv, T=4, B=64", "times"): [2],
    }


def test_files(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(engines, "figures", lambda: iter(MEASURED))
    command.measured("engines", tmp_path)
    told = json.loads((tmp_path / "engines.json").read_text())
    assert [f["name"] for f in told["figures"]] == [f.name for f in MEASURED]
    assert told["machine"]["versions"]["numpy"]
    drawn = (tmp_path / "engines.svg").read_text()
    assert drawn.rstrip().endswith("</svg>")


def test_a_run_cut_short_keeps_what_it_had(tmp_path: Path, monkeypatch: Any) -> None:
    def broken() -> Any:
        yield MEASURED[0]
        raise SystemExit("no more")

    monkeypatch.setattr(engines, "figures", broken)
    with pytest.raises(SystemExit, match="no more"):
        command.measured("engines", tmp_path)
    assert len(json.loads((tmp_path / "engines.json").read_text())["figures"]) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.DEVICE, "cuda")
    for bench in (neurons, training, kernels_gpu):
        with pytest.raises(SystemExit, match="sees no GPU here: nothing is measured"):
            next(bench.figures())
    monkeypatch.setenv(library.DEVICE, "gpu")
    with pytest.raises(SystemExit, match="SPIKEPORT_BENCH_DEVICE is 'gpu'; give cpu or cuda"):
        next(neurons.figures())


@pytest.mark.parametrize(
    ("python", "said"), [(sys.executable, "KeyError: 'nobody'"), ("false", "nothing was said")]
)
def test_last_words_of_a_worker_that_ended(python: str, said: str) -> None:
    with ExitStack() as opened, pytest.raises(SystemExit, match=f"of nobody ended: {said}"):
        worker = library.Library("nobody", python, opened, "cpu")
        if python == "false":
            worker.process.wait()
        worker.ask(shape=(2, 1, 64))


def test_every_way_of_spikingjelly_is_asked_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEPORT_BENCH_PYTHONS", "spikingjelly=/its/python")
    there = library.pythons(("fused",), "cuda")
    assert [name for name, python in there.items() if python == "/its/python"] == [*library.JELLIES]
    monkeypatch.setenv(
        "SPIKEPORT_BENCH_PYTHONS", "spikingjelly=a/python,spikingjelly-cupy=b/python"
    )
    there = library.pythons(("fused",), "cuda")
    assert (there["spikingjelly-cupy"], there["spikingjelly-cuda"]) == ("b/python", "a/python")
    assert "spikingjelly-cupy" not in library.pythons(("fused",), "cpu")
    assert library.best({"fused": 1.0, "spikingjelly-triton": 2.0, "norse": 3.0}) == (
        "spikingjelly-triton"
    )
    assert library.best({"fused": 1.0}) is None
