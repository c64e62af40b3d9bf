"""`spikeport conformance`: on engines, classes and functions of anybody; the cases as files."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from typer.testing import CliRunner

from spikeport.backends.conformance import BUILDERS, make
from spikeport.backends.conformance.nested import as_graph
from spikeport.core import interpreter, store
from spikeport.core.schedule import compile
from spikeport.verify.cli.app import app

CHAINS = ("lif_neurons", "lif_per_neuron", "spikeless_readout")


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if the subjects were an installed package."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    sys.modules.pop("others", None)


def told(*given: str, code: int = 0) -> dict[str, Any]:
    """Case -> facts, of one subject."""
    done = CliRunner().invoke(app, ["conformance", "--json", *given])
    assert done.exit_code == code, done.output
    (column,) = json.loads(done.stdout)
    found: dict[str, Any] = column["cases"]
    return found


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--only", name)]


def test_a_function_is_exact_or_refuses() -> None:
    found = told(
        "--backend", "others:euler", *only(*CHAINS, "delay", "cuba_neurons", "skip_over_two")
    )
    assert {n: found[n]["verdict"] for n in CHAINS} == dict.fromkeys(CHAINS, "exact")
    assert found["delay"]["why"] == "NotImplementedError: no Delay here"
    assert found["cuba_neurons"]["verdict"] == found["skip_over_two"]["verdict"] == "refuses"


def test_a_function_that_loses_the_reset_rule_is_wrong_and_where() -> None:
    found = told("--backend", "others:euler", *only("subtract_lif"), code=1)["subtract_lif"]
    assert found["verdict"] == "WRONG"
    assert found["layer"] == "one"
    assert 0 < found["step"] < 12
    assert f"first in 'one' at step {found['step']}" in found["why"]


def test_a_function_that_is_late_is_wrong_at_its_output() -> None:
    found = told("--backend", "others:late", *only("lif_neurons"), code=1)["lif_neurons"]
    assert (found["verdict"], found["layer"]) == ("WRONG", "out")


def test_a_function_gets_all_of_nir() -> None:
    """Several ports, nested graphs, metadata: nothing is lost on the way to a function."""
    found = told("--backend", "others:by_file")
    assert set(found) == set(BUILDERS)
    chip = {n for n in found if n.startswith("pipelined")}
    assert {found[n]["verdict"] for n in chip} == {"refuses"}
    assert {n for n in found if found[n]["verdict"] != "exact"} == chip


@pytest.mark.parametrize(
    ("subject", "case", "why"),
    [
        ("Boastful", "lif_neurons", "opened what its capabilities exclude: node 'one' is a LIF"),
        ("Forgetful", "lif_neurons", "state is kept between runs"),
        ("Broken", "if_neurons", "crashes: RuntimeError: out of luck"),
    ],
)
def test_engines_that_break_their_word(subject: str, case: str, why: str) -> None:
    found = told("--backend", f"others:{subject}", *only(case), code=1)[case]
    assert found["verdict"] == "WRONG"
    assert why in found["why"]


def test_an_engine_that_is_out_of_time_is_not_wrong() -> None:
    found = told("--backend", "others:Slow", *only("if_neurons"))["if_neurons"]
    assert found == {"verdict": "refuses", "why": "no answer in 2 s"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["--backend", "others:nothing"], "cannot be imported"),
        (["--backend", "nowhere:it"], "cannot be imported"),
        (["--backend", "others:NUMBER"], "is a int"),
        (["--backend", "nonsense"], "no backend 'nonsense'"),
        (["--only", "nonsense"], "no case is called 'nonsense'"),
    ],
)
def test_what_cannot_run_says_so(given: list[str], why: str) -> None:
    done = CliRunner().invoke(app, ["conformance", *given])
    assert done.exit_code == 2
    assert why in done.output


def test_for_people() -> None:
    done = CliRunner().invoke(
        app, ["conformance", "--backend", "reference", *only("lif_neurons", "threshold")]
    )
    assert done.exit_code == 0
    assert "lif_neurons  exact" in done.output
    assert "2 cases: exact 2" in done.output


def test_cases_as_files(tmp_path: Path) -> None:
    """What is written is what is expected, and our own reader and nir's take every graph."""
    done = CliRunner().invoke(app, ["conformance", "--cases", str(tmp_path)])
    assert done.exit_code == 0, done.output
    names = [n for n in BUILDERS if not n.startswith("pipelined")]
    assert sorted(p.stem for p in tmp_path.glob("*.nir")) == sorted(names)
    for name in names:
        network = store.read(tmp_path / f"{name}.nir")
        assert nir.read(tmp_path / f"{name}.nir", type_check=False).nodes
        with np.load(tmp_path / f"{name}.npz") as arrays:
            inputs = {n: arrays[f"input/{n}"] for n in network.inputs}
            got = interpreter.run(compile(network), inputs, ("all",))
            for node in network.spiking:
                assert (arrays[f"spikes/{node}"] == got.spikes[node]).all(), (name, node)
            for node in network.outputs:
                assert np.allclose(arrays[f"output/{node}"], got.outputs[node], 1e-12, 1e-12)


def test_nested_graphs_are_nested() -> None:
    inner = as_graph(make("nested_loop").network, nested=True).nodes["net"]
    assert isinstance(inner, nir.NIRGraph)
    assert isinstance(inner.nodes["cell"], nir.NIRGraph)
    assert set(inner.nodes["cell"].nodes) == {"input", "one", "rec", "output"}


def test_columns_of_another_environment_join_the_matrix(tmp_path: Path) -> None:
    """They are not run again, and a file of other cases is refused."""
    there = tmp_path / "there.json"
    cases = {name: {"verdict": "refuses", "why": "said elsewhere"} for name in BUILDERS}
    there.write_text(json.dumps([{"name": "norse", "versions": {"norse": "0"}, "cases": cases}]))
    words = ["conformance", "--backend", "reference", "--backend", "norse"]
    done = CliRunner().invoke(
        app, [*words, "--measured", str(there), "--write", str(tmp_path / "page.md")]
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "page.md").read_text()
    assert "- `norse`: norse 0" in text
    assert "| `lif_neurons` | exact | refuses (1) |" in text
    for broken in ("[1]", "no JSON", json.dumps([{"name": "x", "versions": {}, "cases": {}}])):
        there.write_text(broken)
        done = CliRunner().invoke(app, [*words, "--measured", str(there)])
        assert done.exit_code == 2
        assert str(there) in done.output


def test_importers_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example: Norse's own importer keeps an IF, and loses a reset value."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples"))
    words = ["--backend", "importers:norse", "--epsilon", "1.2e-7"]
    found = told(*words, *only("if_neurons", "cuba_neurons", "reset_to_value", "delay"), code=1)
    said = {name: facts["verdict"] for name, facts in found.items()}
    assert said["if_neurons"] == said["cuba_neurons"] == "exact"
    assert said["reset_to_value"] == "WRONG"


def test_what_a_function_prints_is_no_answer() -> None:
    found = told("--backend", "others:talkative", *only("lif_neurons"))
    assert found["lif_neurons"]["verdict"] == "exact"
