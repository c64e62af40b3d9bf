"""Other libraries' own NIR importers: what they make of files, and of files written for them."""

import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from typer.testing import CliRunner

from spikeport.backends.conformance import BUILDERS, make
from spikeport.core import store
from spikeport.core.errors import ConfigError, NetworkError, UnsupportedNode
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import Input, Linear, Neuron, Output
from spikeport.core.schedule import compile
from spikeport.verify.cli.app import app
from spikeport.verify.conformance.limited import Limited
from spikeport.verify.conformance.subjects import expected, find
from spikeport.verify.prepare import prepare
from spikeport.verify.reader_order import TAKEN, late_in_queue
from spikeport.verify.readers import (
    FLOAT32,
    IMPORTERS,
    compared,
    graph_for,
    importer,
    written_for,
)

from ..fuzz.graphs import grown_for_importers
from ..lava.cases import signals

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "importers.md").read_text(encoding="utf8")


@pytest.fixture(autouse=True)
def there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def cells() -> dict[str, dict[str, str]]:
    """Column of the page -> case -> verdict."""
    lines = PAGE.split("\n| case | ")[1].split("\n\n")[0].splitlines()
    names = [name.strip("`| ") for name in lines[0].split(" | ")]
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for line in lines[2:]:
        case, *words = line[2:-2].split(" | ")
        for name, word in zip(names, words, strict=True):
            found[name][case.strip("`")] = re.sub(r"[*]| \(\d+\)", "", word)
    return found


def test_the_page_has_every_case_and_nothing_wrong_in_files_written_for_a_library() -> None:
    told = cells()
    assert list(told) == [f"{n}{way}" for n in IMPORTERS for way in ("", " --for")]
    for name, words in told.items():
        assert list(words) == list(BUILDERS)
        assert not name.endswith("--for") or set(words.values()) <= {"exact", "refuses"}
    for name in ("norse", "snntorch", "spikingjelly"):
        exact = [Counter(told[n].values())["exact"] for n in (name, f"{name} --for")]
        assert exact[1] > 25 and exact[1] > exact[0], (name, exact)


FEW = ("lif_neurons", "gain", "reset_to_value", "self_loop", "skip_over_two", "pool_into_dense")


@pytest.mark.parametrize("name", ["norse", "snntorch", "spikingjelly"])
def test_a_few_cells_are_measured(name: str) -> None:
    """Norse's bare importer orders nodes by sets, so that what it gets wrong goes by the process;
    what is written for it does not."""
    if name != "norse":
        pytest.importorskip(name)
    bare = () if name == "norse" else ((None, name),)
    for reader, column in (*bare, (name, f"{name} --for")):
        subject = find(f"importers:{name}", FLOAT32, reader)
        for case in FEW:
            assert subject.verdict(make(case)).word == cells()[column][case], (column, case)


@pytest.mark.parametrize("name", ["norse", "snntorch", "spikingjelly"])
def test_random_graphs_written_for_it(name: str, tmp_path: Path) -> None:
    """Through a file, every value of the output, or refused by name."""
    if name != "norse":
        pytest.importorskip(name)
    run, reader, ends = getattr(importlib.import_module("importers"), name), importer(name), []
    for seed in range(100):
        network = grown_for_importers(seed)
        if network is None:
            continue
        try:
            made = written_for(network, reader)
        except NetworkError as error:
            assert any(word in str(error) for word in ("node '", "ports", "edge")), error
            ends.append("refused")
            continue
        store.write_contents(graph_for(made, reader).to_dict(), tmp_path / "a.nir")
        assert store.digest(store.read(tmp_path / "a.nir")) == store.digest(made)
        inputs = signals(network, np.random.default_rng(seed), 6, 2)
        ((_, wanted),) = expected(network, inputs).outputs.items()
        graph = nir.read(tmp_path / "a.nir", type_check=False)
        told: dict[str, Any] = {} if name == "snntorch" else {"dt": made.meaning.dt}
        got = run(graph, next(iter(inputs.values())), **told)
        assert np.allclose(got, wanted, rtol=2e-4, atol=2e-4), seed
        ends.append("same")
    assert Counter(ends)["same"] >= {"norse": 20, "snntorch": 7, "spikingjelly": 50}[name], ends


def chain(*names: str) -> Network:
    """Input, weights, neurons, weights, Output, of these names."""
    random = np.random.default_rng(0)
    kinds = (
        Input((4,)),
        Linear(random.normal(size=(5, 4)) * 2),
        Neuron((5,), np.array(0.5), np.array(1.0)),
        Linear(random.normal(size=(3, 5))),
        Output((3,)),
    )
    edges = tuple(zip(names, names[1:], strict=False))
    return Network(dict(zip(names, kinds, strict=True)), edges, Meaning(dt=1e-4))


@pytest.mark.parametrize("name", ["norse", "snntorch", "spikingjelly"])
@pytest.mark.parametrize(
    "names",
    [
        ("input", "a.b", "a_b", "r", "output"),  # nirtorch writes both a_b
        ("input", "keys", "forward", "type", "output"),  # torch's modules have these
        ("input", "self", 'l"1', "p'1 \\", "output"),
        ("ein", "for", "nir_node_for", "_r", "日本"),
        ("z", "y", "x", "w", "a"),
    ],
)
def test_any_name_is_one_that_the_library_can_have(name: str, names: tuple[str, ...]) -> None:
    if name != "norse":
        pytest.importorskip(name)
    network, reader = chain(*names), importer(name)
    made = written_for(network, reader)
    assert {made.original(n) for n in made.nodes} == set(names)
    told: dict[str, Any] = {} if name == "snntorch" else {"dt": 1e-4}
    x = np.random.default_rng(1).random((6, 2, 4)) * 2
    run = getattr(importlib.import_module("importers"), name)
    ((_, wanted),) = expected(network, {names[0]: x}).outputs.items()
    assert np.allclose(run(graph_for(made, reader), x, **told), wanted, rtol=1e-4, atol=1e-4)


def test_names_that_torch_has_are_all_known() -> None:
    import torch

    made = torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph())
    there = {*dir(torch.nn.ModuleDict()), *dir(made)}
    assert {n for n in there if not n.startswith("_") and n != "T_destination"} <= TAKEN


@pytest.mark.parametrize("seed", [34, 418])
def test_a_loop_is_named_in_the_order_in_which_it_runs(seed: int) -> None:
    """nirtorch takes nodes by name and gives some of a loop the previous step's values."""
    network = grown_for_importers(seed)
    assert network is not None
    made = written_for(network, importer("spikingjelly"))
    lowered = prepare(compared(network, frozenset({">="})), importer("spikingjelly").able).network
    assert late_in_queue(lowered) != compile(lowered).back_edges
    assert late_in_queue(made) == compile(made).back_edges
    assert {made.original(n) for n in made.nodes} == {lowered.original(n) for n in lowered.nodes}


@pytest.mark.parametrize(
    ("name", "case", "why"),
    [
        ("norse", "reset_to_value", "'one' .LIF. resets to a value other than 0; what it reads"),
        ("norse", "subtract_cuba", "'one' .CubaLIF. resets by 'subtract'"),
        ("norse", "delay", "'late' is a Delay"),
        ("norse", "several_ports", "2 ports"),
        ("norse", "skip_over_two", "would run 'three' before 'skip', which it hears"),
        ("snntorch", "if_neurons", "is a IF.*takes every step for 1e-4 s"),
        ("snntorch", "self_loop", "back edges carry"),
        ("spikingjelly", "threshold_per_neuron", "a threshold of its own for each neuron"),
        ("sinabs", "lif_neurons", "is a Linear.*fires several times a step"),
    ],
)
def test_what_an_importer_would_change(name: str, case: str, why: str) -> None:
    with pytest.raises(UnsupportedNode, match=f"--for {name}: .*{why}"):
        written_for(make(case).network, importer(name))


@pytest.mark.parametrize("name", ["snntorch", "spikingjelly"])
def test_an_output_that_is_a_sum(name: str) -> None:
    network = chain("in", "a", "b", "c", "out")
    network = network.changed(
        nodes={**network.nodes, "d": network.nodes["c"]},
        edges=(*network.edges, ("b", "d"), ("d", "out")),
    )
    with pytest.raises(UnsupportedNode, match="what Output 'out' hears, c, d, one by one"):
        written_for(network, importer(name))


def test_export_for_a_library(tmp_path: Path) -> None:
    store.write(make("gain").network, tmp_path / "ours.nir")
    words = ["export", str(tmp_path / "ours.nir"), "--out", str(tmp_path / "theirs.nir")]
    done = CliRunner().invoke(app, [*words, "--for", "norse"])
    assert done.exit_code == 0 and "norse.torch.from_nir(graph, dt=0.001)" in done.output
    graph = nir.read(tmp_path / "theirs.nir", type_check=False)
    assert all((n.r == 1).all() for n in graph.nodes.values() if isinstance(n, nir.LIF))
    store.write(make("reset_to_value").network, tmp_path / "ours.nir")
    done = CliRunner().invoke(app, [*words[:-1], str(tmp_path / "none.nir"), "--for", "norse"])
    assert done.exit_code == 2 and "It ignores r of IF and LIF, v_reset" in done.output
    assert not (tmp_path / "none.nir").exists()
    with pytest.raises(ConfigError, match="--for lava: choose from norse"):
        importer("lava")


def test_what_hangs_or_dies_costs_a_case() -> None:
    subject = Limited("others:hangs", None, None, 2)
    assert "no answer within 2 s" in subject.verdict(make("reset_to_value")).why
    assert subject.verdict(make("lif_neurons")).why == "NotImplementedError: nothing else"
    subject.close()
    subject = Limited("others:dies", None, None, 60)
    assert subject.verdict(make("lif_neurons")).why == "its process dies"
    subject.close()
