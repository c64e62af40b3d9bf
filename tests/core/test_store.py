"""Networks in .nir files: nothing lost, nothing guessed, nothing half-written."""

import json
import resource
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from spikeport.core import hdf5_write, interpreter, nir_data, store
from spikeport.core.arrays import frozen
from spikeport.core.errors import NetworkError, UnsupportedNode
from spikeport.core.network import Meaning, Network
from spikeport.core.nodes import BatchNorm, Conv, Delay, Input, Linear, Neuron, Output
from spikeport.core.recording import Recording
from spikeport.core.schedule import compile
from spikeport.core.store import Stated

from .nets import networks, signal


def small(**meaning: Any) -> Network:
    neuron = Neuron((3,), frozen(0.9), frozen(1.0), gain_v=frozen(0.3))
    nodes = {
        "in": Input((2,)),
        "fc": Linear(np.arange(6.0).reshape(3, 2), np.ones(3)),
        "lif": neuron,
        "out": Output((3,)),
    }
    edges = (("in", "fc"), ("fc", "lif"), ("lif", "out"))
    return Network(nodes, edges, Meaning(**{"dt": 1e-3, **meaning}))


def foreign(path: Path, nodes: dict[str, Any], edges: list[tuple[str, str]]) -> Path:
    """A file as another library writes it."""
    nir.write(path, nir.NIRGraph(nodes=nodes, edges=edges, type_check=False))
    return path


def lone(path: Path, node: Any, size: int = 2) -> Path:
    shape = np.array([size])
    nodes = {"in": nir.Input(shape), "n": node, "out": nir.Output(shape)}
    return foreign(path, nodes, [("in", "n"), ("n", "out")])


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(network=networks())
def test_round_trip_is_exact(network: Network, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("nir") / "a.nir"
    store.write(network, path)
    again = store.read(path)
    assert store.digest(again) == store.digest(network)
    inputs = signal(network)
    first = interpreter.run(compile(network), inputs, ("all",))
    second = interpreter.run(compile(again), inputs, ("all",))
    for group in ("outputs", "spikes", "v", "u"):
        before, after = getattr(first, group), getattr(second, group)
        assert before.keys() == after.keys()
        for name in before:
            assert (before[name] == after[name]).all(), (group, name)


def test_nir_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    store.write(small(), path)
    graph = nir.read(path)
    assert isinstance(graph.nodes["lif"], nir.LIF)
    np.testing.assert_allclose(graph.nodes["lif"].tau, 1e-3 / (1 - 0.9))
    np.testing.assert_allclose(graph.nodes["lif"].r * (1 - 0.9), 0.3)
    assert store.plainly_readable(path) is None


def test_metadata_holds_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    store.write(small(readout="mean_t", trained_digest="ab"), path)
    told = json.loads(nir.read(path).metadata["spikeport"])
    assert told["schema"] == 1
    wanted = {"dt", "integrator", "cuba_current", "if_r", "timing", "back_edge_at_t0"}
    wanted |= {"back_edges", "readout", "input", "number_format", "history", "digest"}
    assert wanted | {"trained_digest", "nodes", "steps"} <= told.keys()
    assert told["nodes"]["lif"]["reset"] == "value"
    assert told["nodes"]["lif"]["decays"]["v"] == 0.9


def test_trained_decay_survives_to_the_bit(tmp_path: Path) -> None:
    """b -> tau -> 1 - dt / tau moves many decays by a bit; the metadata's float64 wins."""
    moved = 0
    for i, decay in enumerate(np.linspace(0.05, 0.99, 40)):
        moved += 1 - 1e-3 / (1e-3 / (1 - decay)) != decay
        network = small()
        node = network.nodes["lif"]
        assert isinstance(node, Neuron)
        changed = Neuron((3,), frozen(decay), node.threshold)
        path = tmp_path / f"{i}.nir"
        store.write(network.changed(nodes={**network.nodes, "lif": changed}), path)
        again = store.read(path).nodes["lif"]
        assert isinstance(again, Neuron) and float(again.decay_v) == decay
    assert moved > 3


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9, 0.99])
def test_truncated(tmp_path: Path, where: float) -> None:
    path = tmp_path / "a.nir"
    store.write(small(), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * where)])
    with pytest.raises(NetworkError, match=r"a\.nir: not a readable"):
        store.read(path)


def test_missing_and_foreign_bytes(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"no file .*none\.nir"):
        store.read(tmp_path / "none.nir")
    (tmp_path / "text.nir").write_text("hello")
    with pytest.raises(NetworkError, match="not a readable"):
        store.read(tmp_path / "text.nir")
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["x"] = 1
    with pytest.raises(NetworkError, match="this is not a .nir file"):
        store.read(tmp_path / "other.nir")


def test_edited_file(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    store.write(small(), path)
    with h5py.File(path, "r+") as file:
        file["node/nodes/fc/weight"][0, 0] = 5.0
    with pytest.raises(NetworkError, match="it was changed after it was written"):
        store.read(path)


def test_edited_decay(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    store.write(small(), path)
    with h5py.File(path, "r+") as file:
        file["node/nodes/lif/tau"][0] *= 1.001
    with pytest.raises(NetworkError, match="decay_v"):
        store.read(path)


def test_unknown_node(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    store.write(small(), path)
    with h5py.File(path, "r+") as file:
        del file["node/nodes/fc/type"]
        file["node/nodes/fc/type"] = "Softmax"
    with pytest.raises(UnsupportedNode, match="node 'fc': type 'Softmax'"):
        store.read(path)


def test_unknown_field_is_not_dropped(tmp_path: Path) -> None:
    path = lone(tmp_path / "a.nir", nir.LIF(*(np.ones(2) for _ in range(4))))
    with h5py.File(path, "r+") as file:
        file["node/nodes/n/refractory"] = np.ones(2)
    with pytest.raises(NetworkError, match="refractory is unknown"):
        store.read(path, Stated(dt=0.1))


def test_unknown_metadata_key(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    store.write(small(), path)
    with h5py.File(path, "r+") as file:
        told = json.loads(file["node/metadata/spikeport"][()])
        told["surprise"] = 1
        del file["node/metadata/spikeport"]
        file["node/metadata/spikeport"] = json.dumps(told)
    with pytest.raises(NetworkError, match="'surprise'"):
        store.read(path)


def test_link_out_of_the_file(tmp_path: Path) -> None:
    store.write(small(), tmp_path / "other.nir")
    store.write(small(), tmp_path / "a.nir")
    with h5py.File(tmp_path / "a.nir", "r+") as file:
        del file["node/nodes/fc/weight"]
        file["node/nodes/fc/weight"] = h5py.ExternalLink("other.nir", "node/nodes/fc/weight")
    with pytest.raises(NetworkError, match="link out of its place"):
        store.read(tmp_path / "a.nir")


def test_declared_size_is_bounded(tmp_path: Path) -> None:
    store.write(small(), tmp_path / "a.nir")
    with h5py.File(tmp_path / "a.nir", "r+") as file:
        del file["node/nodes/fc/weight"]
        file["node/nodes/fc"].create_dataset("weight", shape=(1 << 20, 1 << 20), dtype="f8")
    with pytest.raises(NetworkError, match="GiB"):
        store.read(tmp_path / "a.nir")


def test_time_constants_need_dt(tmp_path: Path) -> None:
    path = lone(tmp_path / "a.nir", nir.LIF(*(np.full(2, 0.01) for _ in range(4))))
    with pytest.raises(NetworkError, match="say --dt SECONDS"):
        store.read(path)
    node = store.read(path, Stated(dt=1e-3)).nodes["n"]
    assert isinstance(node, Neuron)
    np.testing.assert_allclose(node.decay_v, 0.9)
    np.testing.assert_allclose(node.gain_v, 0.001)
    np.testing.assert_allclose(node.bias, 0.001)


def integrator(r: float) -> nir.IF:
    return nir.IF(r=np.full(2, r), v_threshold=np.ones(2))


@pytest.mark.parametrize(
    ("r", "stated", "gain"),
    [
        (1.0, Stated(), 1.0),
        (1.0, Stated(dt=1e-3), 1.0),
        (1e3, Stated(dt=1e-3), 1.0),
        (2.0, Stated(if_r="step"), 2.0),
        (2.0, Stated(dt=0.25, if_r="ode"), 0.5),
        (1.0, Stated(dt=0.25, if_r="ode"), 0.25),
    ],
)
def test_if_gain(tmp_path: Path, r: float, stated: Stated, gain: float) -> None:
    node = store.read(lone(tmp_path / "a.nir", integrator(r)), stated).nodes["n"]
    assert isinstance(node, Neuron)
    assert (node.gain_v == gain).all()


@pytest.mark.parametrize("stated", [Stated(), Stated(dt=1e-3)])
def test_if_gain_is_not_guessed(tmp_path: Path, stated: Stated) -> None:
    path = lone(tmp_path / "a.nir", integrator(2.0))
    with pytest.raises(NetworkError, match="--if-r"):
        store.read(path, stated)


def test_flags_state_a_foreign_file(tmp_path: Path) -> None:
    path = lone(tmp_path / "a.nir", integrator(1.0))
    node = store.read(path, Stated(reset="subtract")).nodes["n"]
    assert isinstance(node, Neuron) and node.reset == "subtract"


@pytest.mark.parametrize(
    "stated",
    [Stated(dt=2e-3), Stated(reset="subtract"), Stated(back_edge_at_t0="nothing")],
)
def test_flags_must_not_contradict_our_file(tmp_path: Path, stated: Stated) -> None:
    store.write(small(), tmp_path / "a.nir")
    with pytest.raises(NetworkError, match="contradicts the file"):
        store.read(tmp_path / "a.nir", stated)


def test_old_current_is_one_step_late(tmp_path: Path) -> None:
    """NIR's reference: v uses the current of the step before."""
    ones = np.ones(1)
    node = nir.CubaLIF(
        tau_syn=ones * 4, tau_mem=ones * 5, r=ones * 2, v_leak=ones * 0.3, v_threshold=ones * 1.1,
        w_in=ones * 3,
    )  # fmt: skip
    path = lone(tmp_path / "a.nir", node, 1)
    network = store.read(path, Stated(dt=1.0, cuba_current="old"))
    x = np.random.default_rng(0).random((40, 1, 1))
    got = interpreter.run(compile(network), {"in": x}, ("n",))
    v, current, spikes = 0.0, 0.0, []
    for now in x[:, 0, 0]:  # forward Euler as NIR writes it: both from the old state
        v, current = v + (0.3 - v + 2 * current) / 5, current + (-current + 3 * now) / 4
        spikes.append(v > 1.1)
        v = 0.0 if v > 1.1 else v
    assert sum(spikes) > 3
    assert (got.spikes["n"][:, 0, 0] == spikes).all()


def test_nested_graphs_are_joined(tmp_path: Path) -> None:
    shape = np.array([2])
    inner = nir.NIRGraph(
        nodes={
            "input": nir.Input(shape),
            "lif": integrator(1.0),
            "rec": nir.Linear(np.eye(2)),
            "output": nir.Output(shape),
        },
        edges=[("input", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "output")],
        type_check=False,
    )
    path = lone(tmp_path / "a.nir", inner)
    network = store.read(path)
    assert set(network.nodes) == {"in", "n.lif", "n.rec", "out"}
    assert ("in", "n.lif") in network.edges and ("n.lif", "out") in network.edges


@pytest.mark.parametrize("name", ["a/b", ""])
def test_names(name: str) -> None:
    with pytest.raises(NetworkError, match="node name"):
        Network({name: Input((2,)), "out": Output((2,))}, ((name, "out"),))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_must_be_finite(tmp_path: Path, bad: float) -> None:
    weight = np.ones((2, 2))
    weight[0, 1] = bad
    nodes = {"in": nir.Input(np.array([2])), "n": nir.Linear(weight)}
    nodes["out"] = nir.Output(np.array([2]))
    path = foreign(tmp_path / "a.nir", nodes, [("in", "n"), ("n", "out")])
    with pytest.raises(NetworkError, match="'n'.*1 of 4 numbers"):
        store.read(path)


def test_unlowered_nodes_are_not_written(tmp_path: Path) -> None:
    one = np.ones(2)
    norm = BatchNorm(one, one, one, one, 1e-5)
    network = Network(
        {"in": Input((2,)), "bn": norm, "out": Output((2,))}, (("in", "bn"), ("bn", "out"))
    )
    with pytest.raises(UnsupportedNode, match="'bn'.*lower the network"):
        store.write(network, tmp_path / "a.nir")
    assert not list(tmp_path.iterdir())


def test_write_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(small(), tmp_path / "a.nir")
    before = (tmp_path / "a.nir").read_bytes()

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hdf5_write, "fill", fail)
    with pytest.raises(OSError, match="No space"):
        store.write(small(dt=1e-4), tmp_path / "a.nir")
    assert (tmp_path / "a.nir").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nir"]


@pytest.mark.parametrize("room", [0, 3000])
@pytest.mark.parametrize("what", ["graph", "data", "arrays"])
def test_a_full_disk_is_one_error_that_names_the_file(tmp_path: Path, what: str, room: int) -> None:
    """The kernel itself refuses to write on. HDF5's library would not survive that: it is told
    nothing of the disk."""
    recording = Recording({"out": np.random.default_rng(0).normal(size=(50, 4, 5))})
    writes: dict[str, Any] = {
        "graph": lambda path: store.write(small(), path),
        "data": lambda path: nir_data.write(recording, path, 1e-3),
        "arrays": recording.save,
    }
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))  # Python ignores the signal
    try:
        with pytest.raises(OSError, match=r"File too large.*some\.file"):
            writes[what](tmp_path / "some.file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("padding", "ok"), [("same", True), ("valid", True), ("reflect", False)])
def test_padding_in_words(tmp_path: Path, padding: str, ok: bool) -> None:
    path = tmp_path / "a.nir"
    conv = nir.Conv2d((5, 5), np.ones((1, 1, 3, 3)), 1, 1, 1, 1, np.zeros(1))
    shape = np.array([1, 5, 5] if padding == "same" else [1, 3, 3])
    nodes = {"in": nir.Input(np.array([1, 5, 5])), "n": conv, "out": nir.Output(shape)}
    foreign(path, nodes, [("in", "n"), ("n", "out")])
    with h5py.File(path, "r+") as file:
        del file["node/nodes/n/padding"]
        file["node/nodes/n/padding"] = padding
    if not ok:
        with pytest.raises(NetworkError, match="reflect"):
            store.read(path)
        return
    node = store.read(path).nodes["n"]
    assert isinstance(node, Conv)
    assert node.padding == ((1, 1) if padding == "same" else (0, 0))


def test_delay_in_whole_steps(tmp_path: Path) -> None:
    path = lone(tmp_path / "a.nir", nir.Delay(np.full(2, 3e-3)))
    node = store.read(path, Stated(dt=1e-3)).nodes["n"]
    assert isinstance(node, Delay) and node.steps == 3
    with pytest.raises(NetworkError, match="0.003 s; a whole number of steps of 0.002 s"):
        store.read(path, Stated(dt=2e-3))


def test_a_delay_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="delay holds no numbers"):
        store.read(lone(tmp_path / "a.nir", nir.Delay(np.zeros(0))), Stated(dt=1e-3))


def test_delay_of_each_element(tmp_path: Path) -> None:
    path = lone(tmp_path / "a.nir", nir.Delay(np.array([3e-3, 0.0])))
    network = store.read(path, Stated(dt=1e-3))
    store.write(network, tmp_path / "b.nir")
    for read in (network, store.read(tmp_path / "b.nir")):
        x = np.arange(1.0, 6.0)[:, None, None].repeat(2, 2)
        (got,) = interpreter.run(compile(read), {read.inputs[0]: x}).outputs.values()
        assert got[:, 0, 0].tolist() == [0, 0, 0, 1, 2]
        assert got[:, 0, 1].tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(NetworkError, match="0.003 s"):
        store.read(path, Stated(dt=2e-3))


def test_a_foreign_time_constant_below_a_step_is_refused(tmp_path: Path) -> None:
    path = lone(tmp_path / "a.nir", nir.LIF(*(np.full(2, 0.01) for _ in range(4))))
    assert store.read(path, Stated(dt=0.01)).nodes["n"].decay_v == 0  # type: ignore[attr-defined]
    with pytest.raises(NetworkError, match=r"shorter than a step of 0\.02 s.*decay -1\b"):
        store.read(path, Stated(dt=0.02))
    written = lone(tmp_path / "b.nir", nir.LIF(*(np.full(2, v) for v in (1e-5, 1.0, 0.0, 0.3))))
    with pytest.raises(NetworkError, match=r"Norse 1\.1 .* --dt 1e-06 undoes that"):
        store.read(written, Stated(dt=1e-3))
    got = store.read(written, Stated(dt=1e-6)).nodes["n"]
    assert got.decay_v == pytest.approx(0.9, abs=1e-12)  # type: ignore[attr-defined]


def test_the_file_is_what_nir_itself_would_write(tmp_path: Path) -> None:
    """The same groups and arrays, their types, their bits; arrays of many chunks too. Numbers that
    have room to spare, as float32's in float64, are packed; noise is written as it is."""
    random = np.random.default_rng(0)
    single = random.normal(size=(1111, 1111)).astype(np.float32)
    net = Network(
        {
            "in": Input((300,)),
            "fc": Linear(frozen(random.normal(size=(1111, 300))), frozen(random.normal(size=1111))),
            "lif": Neuron((1111,), frozen(random.random(1111) * 0.9), frozen(1.0)),
            "single": Linear(frozen(single)),
            "out": Output((1111,)),
        },
        (("in", "fc"), ("fc", "lif"), ("lif", "single"), ("single", "out")),
        Meaning(dt=1e-3),
    )
    store.write(net, tmp_path / "ours.nir")
    nir.write(tmp_path / "theirs.nir", store.to_nir(net))
    ours, theirs = (contents(tmp_path / name) for name in ("ours.nir", "theirs.nir"))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert type(ours[name]) is type(value), name
        if isinstance(value, np.ndarray):
            assert ours[name].dtype == value.dtype and ours[name].shape == value.shape, name
        assert np.array_equal(ours[name], value), name
    told = store.contents(net)
    for _ in range(2):  # asking leaves the contents as they were
        assert store.plainly_typed(told) is store.plainly_readable(tmp_path / "ours.nir") is None
    size = (tmp_path / "ours.nir").stat().st_size
    assert size < (tmp_path / "theirs.nir").stat().st_size
    assert size < 8 * (1111 * 300 + 0.6 * 1111 * 1111)
    with h5py.File(tmp_path / "ours.nir") as file:
        assert file["node/nodes/fc/weight"].compression is None
        assert file["node/nodes/single/weight"].compression == "gzip"
        assert file["node/nodes/lif/v_threshold"].compression == "gzip"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_number_that_is_none(bad: float) -> None:
    """It is found among numbers whose sum alone is infinite, and those pass without it."""
    large = np.full((4, 4), 1e308)
    assert Linear(large).not_finite is None
    large[2, 1] = bad
    assert Linear(large).not_finite == ("weight", 1, 16)


def test_contents_are_not_copied() -> None:
    """Nor can they be written to, which would change the network."""
    net = small()
    told = store.contents(net)["nodes"]["fc"]["weight"]
    assert np.shares_memory(told, net.nodes["fc"].weight)  # type: ignore[attr-defined]
    assert not told.flags.writeable


def contents(path: Path) -> dict[str, Any]:
    """Every dataset of a file by its place."""
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if hasattr(item, "shape") else None
        )
    return found


def test_a_file_takes_its_place_when_it_is_proven(tmp_path: Path) -> None:
    path, told = tmp_path / "a.nir", store.contents(small())
    there: list[bool] = []
    store.write_contents(told, path, proof=lambda: there.append(path.exists()))
    assert there == [False] and path.exists()
    before = path.read_bytes()

    def fails() -> None:
        raise NetworkError("it is not that network")

    with pytest.raises(NetworkError, match="not that network"):
        store.write_contents(told, path, "1.0.4", fails)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_files_for_an_older_nir(tmp_path: Path) -> None:
    """No v_reset, and the same network to us."""
    path = tmp_path / "a.nir"
    store.write_contents(store.contents(small()), path, "1.0.4")
    with h5py.File(path) as file:
        assert set(file["node/nodes/lif"]) == {"type", "tau", "r", "v_leak", "v_threshold"}
        assert file["version"][()] == b"1.0.4"
    assert store.digest(store.read(path)) == store.digest(small())
    assert store.plainly_readable(path) is None


def test_an_older_nir_knows_no_reset_value(tmp_path: Path) -> None:
    nodes = dict(small().nodes)
    nodes["lif"] = Neuron((3,), frozen(0.9), frozen(1.0), v_reset=frozen([0, 0.5, 0]))
    told = store.contents(small().changed(nodes=nodes))
    with pytest.raises(NetworkError, match=r"'lif' resets to 0\.5, .*no v_reset"):
        store.write_contents(told, tmp_path / "a.nir", "1.0.4")
    assert not list(tmp_path.iterdir())
