"""What the dialects share: finding them, asking, refusing; and the verb."""

import json
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from typer.testing import CliRunner

from spikeport.core import store
from spikeport.core.errors import ConfigError, NetworkError
from spikeport.core.nodes import Neuron
from spikeport.export.dialects import load
from spikeport.export.dialects.base import undone
from spikeport.verify.cli.app import app


def written(path: Path, *nodes: Any) -> Path:
    """A chain by nir itself."""
    named = {f"n{i}": node for i, node in enumerate(nodes)}
    names = ["input", *named, "output"]
    size = np.array([len(nodes[-1].r)])
    graph = nir.NIRGraph(
        nodes={"input": nir.Input(size), **named, "output": nir.Output(size)},
        edges=list(zip(names, names[1:], strict=False)),
        type_check=False,
    )
    nir.write(path, graph)
    return path


def lif(tau: float = 0.01, r: float = 1.0, kind: type = np.float32, **more: float) -> Any:
    fields = {"tau": tau, "r": r, "v_leak": 0.0, "v_threshold": 1.0, **more}
    ramp = np.array([1.0, 1.25, 1.5])  # not one number for the layer
    arrays: dict[str, Any] = {n: np.full(3, v, kind) for n, v in fields.items()}
    arrays["v_threshold"] = (arrays["v_threshold"] * ramp).astype(kind)
    return nir.LIF(**arrays)


def numbers(path: Path, dialect: str, name: str, **how: Any) -> Neuron:
    node = load(path, dialect, **how).network.nodes[name]
    assert isinstance(node, Neuron)
    return node


def test_one_file_four_networks(tmp_path: Path) -> None:
    """The same bytes, as four exporters mean them."""
    path = written(tmp_path / "x.nir", lif(tau=1e-3, r=10.0))
    snn = numbers(path, "snntorch", "n0", said={"reset": "subtract"})
    assert (float(snn.decay_v), float(snn.gain_v)) == (float(np.float32(0.9)), 1.0)
    jelly = numbers(path, "spikingjelly", "n0")
    assert jelly.compare == ">=" and float(jelly.gain_v) == 1.0
    plain = numbers(path, "plain", "n0", dt=1e-4)
    assert plain.compare == ">" and plain.reset == "value"
    assert abs(float(plain.decay_v) - 0.9) < 1e-8


def test_auto_names_both_where_two_fit(tmp_path: Path) -> None:
    spread = [np.full(2, v) for v in (0.01, 1.0, 0.0, 1.0)]
    path = written(tmp_path / "x.nir", nir.LIF(*spread))
    with pytest.raises(NetworkError, match="spikingjelly and plain both fit and would give differ"):
        load(path, "auto", 1e-3)


def test_auto_takes_plain_where_nothing_else_fits(tmp_path: Path) -> None:
    found = load(written(tmp_path / "x.nir", lif()), "auto", 1e-3)
    assert found.dialect.name == "plain" and found.evidence


def test_auto_says_why_none_fits(tmp_path: Path) -> None:
    path = written(tmp_path / "x.nir", lif(r=3.0))
    with pytest.raises(
        NetworkError, match="snntorch: 'n0': r is not tau / 1e-4.*plain: 'n0': r is"
    ):
        load(path, "auto", 1e-3)


def test_our_own_files_are_not_foreign(tmp_path: Path) -> None:
    path = written(tmp_path / "x.nir", lif())
    store.write(load(path, "plain", 1e-3).network, tmp_path / "ours.nir")
    with pytest.raises(NetworkError, match="is a file of ours"):
        load(tmp_path / "ours.nir", "auto")


def test_answers_are_checked(tmp_path: Path) -> None:
    path = written(tmp_path / "x.nir", lif())
    with pytest.raises(ConfigError, match="choose from value, subtract"):
        load(path, "plain", 1e-3, {"reset": "zero"})
    with pytest.raises(ConfigError, match="not a question of the dialect"):
        load(path, "plain", 1e-3, {"colour": "red"})
    with pytest.raises(ConfigError, match="choose from snntorch"):
        load(path, "brian", 1e-3)


def test_a_field_that_is_missing_is_named(tmp_path: Path) -> None:
    import h5py

    path = written(tmp_path / "x.nir", lif())
    with h5py.File(path, "a") as file:
        del file["node/nodes/n0/r"]
    for dialect in ("snntorch", "plain", "spikingjelly", "norse", "auto"):
        with pytest.raises(NetworkError, match=r"x\.nir"):
            load(path, dialect, None if dialect == "snntorch" else 1e-3, {"reset": "value"})


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_undone_gives_the_bits_back(kind: Any) -> None:
    """A number in float32 that went through a division comes back to the bit."""
    beta = np.random.default_rng(0).uniform(0.5, 0.99, 10_000).astype(np.float32).astype(kind)
    tau = 1e-4 / (1 - beta)
    assert tau.dtype == kind
    assert (undone(tau, lambda b: 1e-4 / (1 - b), 1 - 1e-4 / tau) == beta).all()


def test_the_verb(tmp_path: Path) -> None:
    path, out = written(tmp_path / "x.nir", lif(tau=1e-3, r=10.0)), tmp_path / "ours.nir"
    run = CliRunner().invoke
    refused = run(app, ["import", str(path), "--out", str(out)])
    assert refused.exit_code == 2 and "--reset subtract|value|none" in refused.stderr
    assert not out.exists()
    told = run(app, ["import", str(path), "--reset", "value", "--out", str(out), "--json"])
    assert told.exit_code == 0, told.stderr
    facts = json.loads(told.stdout)
    assert facts["dialect"] == "snntorch" and facts["dt"] == 1e-4 and facts["evidence"]
    assert facts["digest"] == store.digest(store.read(out))
    wrong = run(app, ["import", str(path), "--say", "reset", "--out", str(out)])
    assert wrong.exit_code == 2 and "KEY=VALUE" in wrong.stderr
    same = run(app, ["import", str(path), "--reset", "value", "--out", str(path)])
    assert same.exit_code == 2


@pytest.mark.parametrize("dialect", ["auto", "lava-dl"])
def test_lavadl(dialect: str, tmp_path: Path) -> None:
    """A .net file becomes a .nir file of the same integers."""
    net = Path(__file__).parents[2] / "data/lavadl/recurrent.net"
    made = load(net, dialect, 1e-3)
    store.write(made.network, tmp_path / "ours.nir")
    read = store.read(tmp_path / "ours.nir")
    assert made.dialect.name == "lava-dl" and read.number_format == "loihi"
    assert store.digest(read) == store.digest(store.read(net, store.Stated(dt=1e-3)))
    with pytest.raises(ConfigError, match="reset=value: lava-dl's files say that themselves"):
        load(net, dialect, 1e-3, {"reset": "value"})
    with pytest.raises(NetworkError, match="ours.nir"):
        load(tmp_path / "ours.nir", "lava-dl", 1e-3)
