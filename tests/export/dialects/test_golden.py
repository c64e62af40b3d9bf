"""Files that the exporters of Sinabs, Rockpool and Spyx wrote, and the spikes of the models that
they wrote; made by tests/data/dialects/make.py in environments of their own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.core import interpreter, store
from spikeport.core.errors import NetworkError
from spikeport.core.schedule import compile
from spikeport.export.dialects import load
from spikeport.export.dialects.table import DIALECTS

DATA = Path(__file__).parents[2] / "data/dialects"
ONCE = {"spikes": "single", "floor": "none"}
SAID: dict[str, dict[str, str]] = {
    "sinabs": {**ONCE, "reset": "subtract"},
    "sinabs-value": {**ONCE, "reset": "value"},
    "rockpool": {"spikes": "single"},
    **{f"spyx{kind}": {} for kind in ("", "-if", "-cuba", "-rif", "-rlif", "-rcuba")},
}
ALL = sorted(path.stem for path in DATA.glob("*.nir"))


def dialect(name: str) -> str:
    return name.partition("-")[0]


def wrong(name: str, tmp_path: Path, **said: str) -> dict[str, int]:
    """Differing spikes of every population, of the import that was written and read again."""
    made = load(DATA / f"{name}.nir", dialect(name), None, {**SAID[name], **said})
    store.write(made.network, tmp_path / "ours.nir")
    network = store.read(tmp_path / "ours.nir")
    told = np.load(DATA / f"{name}.npz")
    got = interpreter.run(compile(network), {network.inputs[0]: told["x"]}, ("all",))
    late = int(dialect(name) == "spyx")  # Spyx counts a spike a step after it was fired
    found = {}
    for key in (k for k in told.files if k.startswith("spikes/")):
        layer, theirs = key.removeprefix("spikes/"), told[key]
        inner = [n for n in network.spiking if n == layer or n.endswith(f"{layer}.lif")]
        assert len(inner) == 1 and 0.01 < theirs.mean() < 0.9, (layer, inner, theirs.mean())
        assert not theirs[:late].any()
        found[layer] = int((got.spikes[inner[0]][: len(theirs) - late] != theirs[late:]).sum())
    last = told[[k for k in told.files if k.startswith("spikes/")][-1]]
    found["output"] = int((got.outputs[network.outputs[0]] != last).sum())
    return found


@pytest.mark.parametrize(
    ("name", "other", "why"),
    [
        ("rockpool", "norse", "Norse 1.1 does not write such a population: '1_LIFTorch': r is not"),
        ("rockpool", "hxtorch", "takes shape"),
        ("spyx", "norse", "r is not 1"),
        (
            "spyx",
            "sinabs",
            "Sinabs 2 and 3 does not write such .*: 'layer_1': r is not 1",
        ),
        ("spyx-cuba", "rockpool", "its r tells steps of about"),
        ("sinabs", "spyx", "does not write|contradicts|dt"),
        ("sinabs", "norse", "'1': a tau of 1 or more would be no seconds times dt"),
        ("sinabs", "spikingjelly", "contradicts the file"),
        ("sinabs", "snntorch", "snnTorch 1.0 does not write such a population: '1': r is not tau"),
    ],
)
def test_a_file_by_a_dialect_that_is_not_its_own(name: str, other: str, why: str) -> None:
    """What the dialect would not look at is not what its exporter writes."""
    asked = {question.name for question in DIALECTS[other].questions}
    said = {"reset": "subtract", "tau": "s", **ONCE}
    dt = None if other == "snntorch" else 1e-3
    with pytest.raises(NetworkError, match=why):
        load(DATA / f"{name}.nir", other, dt, {k: v for k, v in said.items() if k in asked})


def test_every_golden_file_is_here() -> None:
    assert ALL == sorted(SAID)


@pytest.mark.parametrize("name", ALL)
def test_spikes_are_theirs(name: str, tmp_path: Path) -> None:
    assert set(wrong(name, tmp_path).values()) == {0}


@pytest.mark.parametrize("name", [n for n in ALL if n != "spyx-if"])
def test_auto_finds_it(name: str) -> None:
    found = load(DATA / f"{name}.nir", "auto", None, SAID[name])
    assert found.dialect.name == dialect(name) and found.evidence


def test_the_wrong_reset_gives_other_spikes(tmp_path: Path) -> None:
    assert wrong("sinabs", tmp_path, reset="value")["5"] > 0


@pytest.mark.parametrize("name", ["sinabs", "rockpool"])
def test_what_is_dropped_must_be_said(name: str) -> None:
    with pytest.raises(NetworkError, match=r"--say spikes=single\|multi"):
        load(DATA / f"{name}.nir", "auto")


@pytest.mark.parametrize("name", ["sinabs", "rockpool"])
def test_no_node_fires_several_times(name: str) -> None:
    said: dict[str, Any] = {**SAID[name], "spikes": "multi"}
    with pytest.raises(NetworkError, match="fires several times a step"):
        load(DATA / f"{name}.nir", name, None, said)


@pytest.mark.parametrize("name", ["rockpool", "spyx"])
def test_dt_must_not_contradict_the_file(name: str) -> None:
    with pytest.raises(NetworkError, match="not 0.002 s|contradicts the file"):
        load(DATA / f"{name}.nir", name, 0.002, SAID[name])
