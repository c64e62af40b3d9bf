"""Sweeps: what a file means, and that cells are the same however they are run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from spikeport.core.errors import ConfigError
from spikeport.trainer.sweep import read, run
from spikeport.trainer.sweep.plan import parse

TEXT = """
[data]
name = "digits"
steps = 3
samples = 100
validation_samples = 50
[model]
name = "conv"
channels = [2]
[train]
epochs = 1
[sweep.measure]
rates = true
steps = 4
losses = true
samples = 60
[sweep.grid]
"train.lr" = [1e-3, 1e-2]
seed = [0, 1]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(TEXT)
    return path


def test_every_value_with_every_other() -> None:
    plan = parse(TEXT, "here")
    assert [dict(c.varied) for c in plan.cells] == [
        {"train.lr": lr, "seed": seed} for lr in (1e-3, 1e-2) for seed in (0, 1)
    ]
    assert list(plan.groups()) == ["train.lr=0.001", "train.lr=0.01"]
    assert len({c.folder for c in plan.cells}) == 4
    assert [c.config.seed for c in plan.cells] == [0, 1, 0, 1]


def test_cases_set_several_keys() -> None:
    case = '[[sweep.cases]]\nname = "{}"\nset = {{ "train.loss" = "{}", "train.lr" = {} }}\n'
    text = TEXT.replace('"train.lr" = [1e-3, 1e-2]\n', "")
    plan = parse(text + case.format("a", "sdt", 0.1) + case.format("b", "tet", 0.2), "here")
    found = [(c.case, c.config.train.loss, c.config.train.lr, c.config.seed) for c in plan.cells]
    assert found == [
        (n, m, r, s) for n, m, r in (("a", "sdt", 0.1), ("b", "tet", 0.2)) for s in (0, 1)
    ]


def test_where_it_is_computed_makes_no_other_cell() -> None:
    one, two = parse(TEXT, "here"), parse(TEXT, "here", ["run.threads=3"])
    assert [c.folder for c in one.cells] == [c.folder for c in two.cells]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[sweep.grid]", "[sweep.grids]"), "sweep.grids"),
        (("seed = [0, 1]", "seed = []"), "sweep.grid.seed has no values"),
        (("seed = [0, 1]", "seed = [0, 0]"), "are the same run"),
        (('"train.lr"', '"train.rate"'), "unknown key 'train.rate'"),
        (("seed = [0, 1]", "seed = 3"), "sweep.grid.seed"),
        (("[sweep.measure]\nrates", "[other]\nrates"), "unknown key 'other'"),
        (('"train.lr" = [1e-3, 1e-2]', '"run.threads" = [1, 2]'), r"differ in \[run\] alone"),
        (
            ("[sweep.grid]", '[[sweep.cases]]\nname = "a"\nset = { seed = 3 }\n[sweep.grid]'),
            "case 'a' and sweep.grid both set seed",
        ),
    ],
)
def test_files_that_mean_nothing(change: tuple[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(TEXT.replace(*change), "here")


def test_a_run_is_no_sweep() -> None:
    with pytest.raises(ConfigError, match="no table"):
        parse("[train]\nepochs = 1", "here")
    with pytest.raises(ConfigError, match="neither a grid nor cases"):
        parse("[sweep]", "here")


def asked(file: Path, out: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "spikeport", "sweep", str(file), "--out", str(out), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cells(out: Path) -> dict[str, Any]:
    """cell -> its numbers, but for the time it took."""
    lines = (out / "cells.jsonl").read_text().splitlines()
    found = {}
    for line in map(json.loads, lines):
        found[line["cell"]] = {k: v for k, v in line["values"].items() if k != "seconds"}
    return found


@pytest.mark.slow
def test_killed_goes_on_and_side_by_side_is_one_after_the_other(file: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "killed", tmp_path / "whole"
    first = asked(file, out)
    while not list(out.glob("*/found.json")):
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    kept = {p: p.stat().st_mtime_ns for p in out.glob("*/found.json")}
    again = asked(file, out, "--json")
    told, _ = again.communicate()
    assert again.returncode == 0 and set(json.loads(told)) == {"train.lr=0.001", "train.lr=0.01"}
    assert all(p.stat().st_mtime_ns == then for p, then in kept.items())
    run(read(file), other, jobs=1)
    assert cells(out) == cells(other)
    values = next(iter(cells(other).values()))
    assert {"accuracy", "rate", "rate/lif1", "so_far/4", "own/1", "loss_tet"} <= set(values)


def test_a_cell_that_fails_leaves_the_others(file: Path, tmp_path: Path) -> None:
    grid = '"model.channels" = [[2], [2, 2, 2, 2]]'  # four pools leave nothing of 8 x 8
    file.write_text(TEXT.replace('"train.lr" = [1e-3, 1e-2]', grid).replace("[0, 1]", "[0]"))
    done = asked(file, tmp_path / "out")
    _, told = done.communicate()
    assert done.returncode == 2 and "1 of 2 cells failed" in told and "16 times smaller" in told
    assert sum(map(bool, cells(tmp_path / "out").values())) == 1


def test_ctrl_c_ends_all(file: Path, tmp_path: Path) -> None:
    file.write_text(TEXT.replace("epochs = 1", "epochs = 500"))
    done = asked(file, tmp_path / "out")
    while not list((tmp_path / "out").glob("*/last.ckpt")):
        assert done.poll() is None, done.communicate()[1]
        time.sleep(0.05)
    done.send_signal(signal.SIGINT)
    _, told = done.communicate(timeout=600)
    assert done.returncode == 130 and told.strip().endswith("interrupted")


@pytest.mark.slow
def test_a_run_that_overflows_can_count_as_chance(file: Path, tmp_path: Path) -> None:
    """A surrogate that is too steep by far, with a gradient through the reset."""
    steep = 'neuron={kind="lif", detach_reset=false, surrogate={scale=1e30}}\n[train]\nclip=1.0'
    text = TEXT.replace("[train]", steep).replace("[1e-3, 1e-2]", "[1e-3]").replace("[0, 1]", "[0]")
    file.write_text(text)
    (found,) = run(read(file), tmp_path / "failed").found
    assert "the gradient's norm is" in found.problem and "surrogate's scale" in found.problem
    file.write_text(text.replace("rates = true", "rates = true\noverflow = 0.25"))
    (found,) = run(read(file), tmp_path / "counted").found
    assert found.values == {"accuracy": 0.25, "overflow": 1.0}
