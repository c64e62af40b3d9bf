"""Lava's own Python is found or made; if it cannot be, one message says what to install."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spikeport.backends.lava import LavaFloat, environment
from spikeport.backends.lava.environment import NAMED, ensure, find, really_runs, versions
from spikeport.core.errors import BackendUnavailable


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing has been made, and no Python named by the user."""
    monkeypatch.delenv(NAMED, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_made_from_nothing(elsewhere: Path) -> None:
    start = time.monotonic()
    python = ensure()
    assert elsewhere in python.parents
    assert versions(python)["lava-nc"] == "0.10.0"
    assert versions(python)["python"].startswith("3.10.")
    assert time.monotonic() - start < 300
    assert find() == python and ensure() == python


def test_made_once_by_two_at_a_time(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.setattr(environment, "really_runs", lambda python: python if made else None)

    def make(folder: Path, python: Path) -> None:
        time.sleep(0.3)
        folder.mkdir()
        made.append(folder)

    monkeypatch.setattr(environment, "make", make)
    with ThreadPoolExecutor(4) as threads:
        found = {future.result() for future in [threads.submit(ensure) for _ in range(4)]}
    assert len(made) == 1 and found == {made[0] / "bin" / "python"}


def test_unfinished_is_not_ready(elsewhere: Path) -> None:
    folder = environment.default_folder()
    folder.mkdir(parents=True)
    assert find() is None
    with pytest.raises(BackendUnavailable, match="spikeport setup lava"):
        LavaFloat().versions()


def test_a_shim_that_does_not_run_is_no_python(tmp_path: Path) -> None:
    assert really_runs(script(tmp_path / "python3.10", "exit 127")) is None
    assert really_runs(tmp_path / "missing") is None
    assert really_runs(Path(sys.executable)) is None  # not a 3.10


def test_no_python_to_be_had(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "candidates", lambda: iter(()))
    uv = script(elsewhere / "uv", "echo 'error: No interpreter found for Python 3.10' >&2; exit 2")
    monkeypatch.setattr(environment, "find_uv", lambda: str(uv))
    with pytest.raises(BackendUnavailable) as told:
        ensure()
    for word in ("pyenv install 3.10", "other engines work", NAMED, "No interpreter found"):
        assert word in str(told.value)


def test_no_uv(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(elsewhere / "bin" / "python"))
    monkeypatch.setenv("PATH", str(elsewhere))
    with pytest.raises(BackendUnavailable, match=r"pip install 'spikeport\[lava\]'"):
        environment.find_uv()


def test_packages_from_where_pip_looks(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv does not read pip's settings: they are handed on when it finds nothing by itself."""
    monkeypatch.setenv("PIP_FIND_LINKS", "/some/wheels")
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.example/simple")
    for name in ("UV_FIND_LINKS", "UV_DEFAULT_INDEX"):
        monkeypatch.delenv(name, raising=False)
    found = environment.pip_settings()
    assert found["UV_FIND_LINKS"] == "/some/wheels"
    assert found["UV_DEFAULT_INDEX"] == "https://pypi.example/simple"
    monkeypatch.setenv("UV_FIND_LINKS", "/mine")
    assert "UV_FIND_LINKS" not in environment.pip_settings()
    seen = elsewhere / "seen"
    uv = script(
        elsewhere / "uv", f'[ "$1" = venv ] || {{ echo "$UV_DEFAULT_INDEX" >> {seen}; exit 1; }}'
    )
    monkeypatch.setattr(environment, "find_uv", lambda: str(uv))
    with pytest.raises(BackendUnavailable, match="could not be installed"):
        ensure()
    assert seen.read_text().split() == ["https://pypi.example/simple"]


def test_named_python(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAMED, sys.executable)
    with pytest.raises(BackendUnavailable, match="not a Python 3.10 that runs"):
        ensure()
    monkeypatch.setenv(NAMED, str(elsewhere / "nowhere"))
    with pytest.raises(BackendUnavailable, match="nowhere"):
        LavaFloat().versions()


def test_named_python_without_lava(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = next(filter(None, map(really_runs, environment.candidates())))
    made = elsewhere / "bare"
    subprocess.run([base, "-m", "venv", "--without-pip", made], check=True)
    monkeypatch.setenv(NAMED, str(made / "bin" / "python"))
    with pytest.raises(BackendUnavailable, match="lava-nc, numpy or scipy is missing"):
        ensure()
