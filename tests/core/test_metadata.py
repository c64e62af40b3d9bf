"""The annotation of our files: its schema, and what differs between who wrote and who reads."""

import json
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from spikeport.core import interpreter, metadata, metadata_schema, store
from spikeport.core.errors import NetworkError
from spikeport.core.network import Network
from spikeport.core.nodes import Input, Neuron, Output
from spikeport.core.schedule import compile
from spikeport.core.store import Stated

from .test_store import lone, small

KEPT = Path(__file__).resolve().parents[2] / "docs" / "metadata.schema.json"


def test_the_page_is_the_schema() -> None:
    """Else: spikeport schema --write docs/metadata.schema.json."""
    assert KEPT.read_text() == metadata_schema.text()


@pytest.mark.parametrize("name", metadata_schema.ABOUT)
def test_every_key_is_explained(name: str) -> None:
    fields = getattr(metadata, name).model_fields
    keys = {field.alias or key for key, field in fields.items()}
    assert keys == set(metadata_schema.ABOUT[name])


def test_the_schema_is_of_this_version() -> None:
    made = metadata_schema.schema()
    assert made["properties"]["schema"]["const"] == metadata.SCHEMA
    assert not made["additionalProperties"]


def changed(path: Path, **keys: Any) -> Path:
    """Our file with other metadata, and no digest."""
    store.write(small(), path)
    with h5py.File(path, "r+") as file:
        told = json.loads(file["node/metadata/spikeport"][()]) | keys | {"digest": None}
        del file["node/metadata/spikeport"]
        file["node/metadata/spikeport"] = json.dumps(told)
    return path


def test_spikes_of_another_worth(tmp_path: Path) -> None:
    store.read(changed(tmp_path / "a.nir", spike_amplitude=1))
    with pytest.raises(NetworkError, match=r"worth 0\.001, ours are worth 1: whatever hears"):
        store.read(changed(tmp_path / "a.nir", spike_amplitude=1e-3))


def test_another_integrator_contradicts_the_decays(tmp_path: Path) -> None:
    """A file of ours states its decays too."""
    with pytest.raises(NetworkError, match="metadata says decay_v = 0.9"):
        store.read(changed(tmp_path / "a.nir", integrator="exponential"))


@pytest.mark.parametrize(
    ("stated", "change"),
    [
        (Stated(dt=2e-3), "every decay and delay would change"),
        (Stated(reset="subtract"), "the membrane after every spike would change"),
        (Stated(integrator="exponential"), "every decay and gain that comes from a time"),
        (Stated(back_edge_at_t0="nothing"), "the first step of every loop would change"),
        (Stated(cuba_current="old"), "the step at which every current arrives would change"),
    ],
)
def test_a_mismatch_says_what_would_change(tmp_path: Path, stated: Stated, change: str) -> None:
    store.write(small(), tmp_path / "a.nir")
    with pytest.raises(NetworkError, match=change):
        store.read(tmp_path / "a.nir", stated)


@pytest.mark.parametrize(
    ("node", "about", "match"),
    [
        ("lif", {"reset": "value", "reset_amount": 2.0}, "reset_amount, which nothing takes off"),
        ("fc", {"refractory": 3}, "speaks of its refractory, which a Affine does not have"),
        ("in", {"compare": ">="}, "speaks of its compare, which a Input does not have"),
    ],
)
def test_what_a_node_could_not_mean(
    tmp_path: Path, node: str, about: dict[str, Any], match: str
) -> None:
    with pytest.raises(NetworkError, match=match):
        store.read(changed(tmp_path / "a.nir", nodes={node: about}))


def test_integers_without_a_chip_and_a_chip_without_integers(tmp_path: Path) -> None:
    odd: tuple[dict[str, Any], ...] = ({"number_format": "loihi"}, {"chip": {}})
    for keys in odd:
        with pytest.raises(NetworkError, match="metadata says number_format"):
            store.read(changed(tmp_path / "a.nir", **keys))


def test_two_populations_of_one_name(tmp_path: Path) -> None:
    """One of two recordings would be lost."""
    nodes = {**small().nodes, "twin": small().nodes["lif"]}
    edges = (("in", "fc"), ("fc", "twin"), ("twin", "lif"), ("lif", "out"))
    store.write(small().changed(nodes=nodes, edges=edges, origin={"twin": "lif"}), tmp_path / "a")
    with pytest.raises(NetworkError, match="'lif' and 'twin' both come from 'lif'"):
        store.read(tmp_path / "a")


def test_a_group_in_the_place_of_the_text(tmp_path: Path) -> None:
    """It is no foreign file, whatever it is."""
    store.write(small(), tmp_path / "a.nir")
    with h5py.File(tmp_path / "a.nir", "r+") as file:
        del file["node/metadata/spikeport"]
        file.create_group("node/metadata/spikeport")
    with pytest.raises(NetworkError, match="is not readable JSON"):
        store.read(tmp_path / "a.nir")


def test_a_flag_fills_a_gap_of_our_metadata(tmp_path: Path) -> None:
    """A reset that no node states."""
    path = changed(tmp_path / "a.nir", nodes={})
    node = store.read(path, Stated(reset="subtract")).nodes["lif"]
    assert isinstance(node, Neuron) and node.reset == "subtract"


@pytest.mark.parametrize("compare", [">", ">="])
def test_a_threshold_keeps_its_comparison(tmp_path: Path, compare: Any) -> None:
    step = Neuron((2,), np.array(0.0), np.array(0.5), memoryless=True, compare=compare)
    nodes = {"in": Input((2,)), "step": step, "out": Output((2,))}
    network = Network(nodes, (("in", "step"), ("step", "out")))
    store.write(network, tmp_path / "a.nir")
    again = store.read(tmp_path / "a.nir")
    x = {"in": np.array([[[0.5, 0.6]]])}
    wanted, found = (interpreter.run(compile(n), x).outputs["out"] for n in (network, again))
    assert wanted.tolist() == found.tolist() == [[[float(compare == ">="), 1.0]]]


@pytest.mark.parametrize(
    "more",
    [{"gain_v": np.array(2.0)}, {"refractory": 1}, {"reset": "subtract"}, {"bias": np.array(1.0)}],
)
def test_a_threshold_has_no_state(more: dict[str, Any]) -> None:
    with pytest.raises(NetworkError, match="a Threshold has no state"):
        Neuron((2,), np.array(0.0), np.array(0.5), memoryless=True, **more)


def test_exponential_is_exact_for_an_input_that_stays(tmp_path: Path) -> None:
    """CubaLI's and LI's solutions, worked out by hand; steps of a quarter of tau."""
    one = np.ones(1)
    node = nir.LI(tau=one * 4e-3, r=one * 3, v_leak=one * 0.5)
    network = store.read(lone(tmp_path / "a.nir", node, 1), Stated(1e-3, integrator="exponential"))
    x = np.full((20, 1, 1), 0.7)
    (got,) = interpreter.run(compile(network), {"in": x}).outputs.values()
    end, t = 0.5 + 3 * 0.7, np.arange(1, 21) * 1e-3
    np.testing.assert_allclose(got[:, 0, 0], end * (1 - np.exp(-t / 4e-3)), rtol=1e-12)
    store.write(network, tmp_path / "b.nir")  # in forward Euler, to the bit
    again = store.read(tmp_path / "b.nir")
    (same,) = interpreter.run(compile(again), {"in": x}).outputs.values()
    assert (same == got).all()


def test_exponential_current(tmp_path: Path) -> None:
    one = np.ones(1)
    node = nir.CubaLI(one * 2e-3, one * 4e-3, one * 3, one * 0, one * 5)
    network = store.read(lone(tmp_path / "a.nir", node, 1), Stated(1e-3, integrator="exponential"))
    made: Any = network.nodes["n"]
    np.testing.assert_allclose(made.decay_u, np.exp(-0.5), rtol=1e-15)
    np.testing.assert_allclose(made.gain_u, 5 * (1 - np.exp(-0.5)), rtol=1e-15)
    np.testing.assert_allclose(made.decay_v, np.exp(-0.25), rtol=1e-15)
    np.testing.assert_allclose(made.gain_v, 3 * (1 - np.exp(-0.25)), rtol=1e-15)
