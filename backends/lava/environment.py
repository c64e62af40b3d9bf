"""Find or make the Python 3.10 environment that Lava needs."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ...core.errors import BackendUnavailable

NEEDS = Path(__file__).resolve().parent / "worker" / "requirements.txt"
PROBE = "import sys; print(sys.version_info[:2] == (3, 10) and sys.executable)"
LAVA = (
    "import platform; from importlib.metadata import version as v; "
    "print(platform.python_version(), v('lava-nc'), v('numpy'), v('scipy'))"
)
PACKAGES = ("python", "lava-nc", "numpy", "scipy")
NAMED = "SPIKEPORT_LAVA_PYTHON"
HELP = (
    "the Lava backends need Python 3.10, the only one that Lava's last release runs on; none was "
    "found, and none could be fetched. Install one (pyenv install 3.10, uv python install 3.10, "
    "conda create -n py310 python=3.10, or your system's package python3.10) and call again, or "
    f"set {NAMED} to the python of an environment that holds lava-nc 0.10.0. The other engines "
    "work without it"
)
FETCH = (
    "the packages of Lava's environment could not be installed. Once the package index can be "
    f"reached, call again; or install {NEEDS} into a Python 3.10 by hand and set {NAMED} to its "
    "python. The other engines work without it"
)
PIP_TO_UV = {  # pip's setting -> uv's; uv does not read pip's configuration
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}

answers: dict[tuple[Path, str], str] = {}


def candidates() -> Iterator[Path]:
    """Places where a Python 3.10 may lie, best first."""
    for folder in os.get_exec_path():
        yield Path(folder) / "python3.10"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob("versions/3.10*/bin/python"), reverse=True)
    for root in ("~/.local/share/uv/python", "~/miniconda3/envs", "~/anaconda3/envs"):
        yield from sorted(Path(root).expanduser().glob("*/bin/python3.10"))


def asked(python: Path, code: str) -> str | None:
    """What an interpreter prints for a line of code; None if it does not run. What it said once
    is not asked again."""
    if (python, code) in answers:
        return answers[python, code]
    if not os.access(python, os.X_OK):
        return None
    try:
        done = subprocess.run(
            [python, "-I", "-c", code],
            capture_output=True,
            text=True,
            timeout=20,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return answers.setdefault((python, code), done.stdout.strip())


def really_runs(python: Path) -> Path | None:
    """The interpreter's own path if it is a 3.10 that starts (a pyenv shim may exit 127)."""
    told = asked(python, PROBE)
    return Path(told) if told and told != "False" else None


def versions(python: Path) -> dict[str, str]:
    """Versions of the packages that do the work; empty if Lava is not there."""
    told = (asked(python, LAVA) or "").split()
    return dict(zip(PACKAGES, told, strict=True)) if len(told) == len(PACKAGES) else {}


def named() -> Path | None:
    """The Python that the user names; BackendUnavailable if Lava cannot run on it."""
    value = os.environ.get(NAMED)
    if not value:
        return None
    python = Path(value)
    if not really_runs(python):
        raise BackendUnavailable(
            f"{NAMED} is {value!r}, which is not a Python 3.10 that runs; name one, or unset it "
            "and the environment is made for you"
        )
    if not versions(python):
        raise BackendUnavailable(
            f"{NAMED} is {value!r}, in which lava-nc, numpy or scipy is missing; install {NEEDS} "
            "there, or unset it and the environment is made for you"
        )
    return python


def default_folder() -> Path:
    """Where the environment lies: named after what is in it."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(NEEDS.read_bytes()).hexdigest()[:8]
    return root / "spikeport" / f"lava-py310-{digest}"


def find(folder: Path | None = None) -> Path | None:
    """The Python of a ready environment: the one that the user names, or the one made before."""
    given = named()
    if given:
        return given
    folder = folder or default_folder()
    python = folder / "bin" / "python"
    return python if (folder / "ready").exists() and really_runs(python) else None


def ensure(folder: Path | None = None) -> Path:
    """The Python of a ready environment, made if need be (once, even by two at a time)."""
    found = find(folder)
    if found:
        return found
    folder = folder or default_folder()
    python = folder / "bin" / "python"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not find(folder):
                make(folder, python)
                (folder / "ready").touch()
    except OSError as error:
        raise BackendUnavailable(
            f"Lava's environment cannot be made in {folder}: {error}. Set XDG_CACHE_HOME to a "
            f"folder that can be written, or {NAMED} to a Python 3.10 that holds lava-nc"
        ) from error
    return python


def make(folder: Path, python: Path) -> None:
    """Make the environment from nothing."""
    base = next(filter(None, map(really_runs, candidates())), None)
    uv = find_uv()
    venv = ("venv", "--no-project", "--clear", "--python", str(base or "3.10"), str(folder))
    run(HELP, (uv, *venv), {})
    install = (uv, "pip", "install", "--no-deps", "--python", str(python), "-r", str(NEEDS))
    try:
        run(FETCH, install, {})
    except BackendUnavailable:
        settings = pip_settings()
        if not settings:
            raise
        run(FETCH, install, settings)


def find_uv() -> str:
    """uv's program: beside this Python, or on the path."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise BackendUnavailable(
            "the Lava backends need uv to make Lava's environment: pip install 'spikeport[lava]'"
        )
    return found


def run(help_text: str, command: tuple[str, ...], more: Mapping[str, str]) -> None:
    """Run uv; on failure say what it said and what to do."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **more},
    )
    if done.returncode:
        raise BackendUnavailable(f"{help_text}. uv said: {done.stderr.strip()}")


def pip_settings() -> dict[str, str]:
    """Where the user's pip looks for packages, in uv's words; what uv was told itself stays."""
    pip = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    found: dict[str, str] = {}
    ranked = sorted(pip.stdout.splitlines(), key=lambda line: rank(line.partition(".")[0]))
    for line in ranked:  # what ranks higher overwrites
        place, _, value = line.partition("=")
        setting = PIP_TO_UV.get(place.rpartition(".")[2])
        if setting and setting not in os.environ:
            parts = value.strip("'\"").replace("\\n", " ").split()
            found[setting] = (" " if setting == "UV_INDEX" else ",").join(parts)
    return found


def rank(place: str) -> int:
    """Of a place where pip keeps a setting: the environment wins."""
    places = ("global", "user", "site", ":env:")
    return places.index(place) if place in places else -1
