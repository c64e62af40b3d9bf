"""The base stays light, and the program starts with it alone."""

import subprocess
import sys

import pytest

HEAVY = "numpy h5py nir torch norse onnx lava numba sklearn matplotlib jinja2".split()


def loaded(code: str) -> str:
    """Which heavy packages are loaded after the code has run."""
    found = f"[m for m in {HEAVY} if m in sys.modules]"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint({found})"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


def test_import_is_light() -> None:
    assert loaded("import spikeport, spikeport.verify.cli") == "[]"


@pytest.mark.parametrize(
    "verb", ["", "train", "export", "import", "fit", "run", "verify", "inspect", "doctor"]
)
def test_help_is_light(verb: str) -> None:
    call = f"sys.argv = ['spikeport', *{verb.split()}, '--help']"
    code = f"{call}\nfrom spikeport.verify.cli import main\ntry:\n main()\nexcept SystemExit: pass"
    assert loaded(code) == "[]"


def test_module_runs() -> None:
    done = subprocess.run([sys.executable, "-m", "spikeport", "--help"], capture_output=True)
    assert done.returncode == 0
    assert b"verify" in done.stdout


def test_public_names_are_there() -> None:
    """Each lazily handed-on name leads somewhere."""
    import spikeport

    for name in spikeport.__all__:
        assert getattr(spikeport, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = spikeport.nonsense


def test_verify_stays_a_call() -> None:
    """The subpackage of the same name must not take the function's place."""
    code = (
        "import spikeport; a = spikeport.verify; spikeport.prepare; b = spikeport.verify; "
        "import spikeport.verify.cli; print(all(map(callable, (a, b, spikeport.verify))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
