"""Recordings as NIR data: nothing lost, by our reader and by nir's."""

from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest

from spikeport.core import nir_data
from spikeport.core.errors import DataError
from spikeport.core.recording import Recording


def recording(steps: int = 256) -> Recording:
    random = np.random.default_rng(0)
    spikes = {"a": random.random((steps, 3, 4)) < 0.5, "map": random.random((steps, 3, 2, 3)) < 0.1}
    v = {"a": random.normal(size=(steps, 3, 4))}
    whole = {name: values.astype(np.uint8) for name, values in spikes.items()}
    return Recording({"out": random.normal(size=(steps, 3, 2))}, whole, v, {})


@pytest.mark.parametrize("dt", [1e-4, 1e-3, 0.1, 1 / 3])
def test_every_spike(tmp_path: Path, dt: float) -> None:
    given = recording()
    nir_data.write(given, tmp_path / "a.nir", dt)
    got = nir_data.read(tmp_path / "a.nir", dt, {"map": (2, 3)})
    for group in ("outputs", "spikes", "v", "u"):
        there, here = getattr(given, group), getattr(got, group)
        assert there.keys() == here.keys()
        for name, values in there.items():
            assert values.dtype == here[name].dtype and np.array_equal(values, here[name])
    theirs = nir.read_data(tmp_path / "a.nir").nodes["a"].observables["spikes"]
    grid = theirs.to_time_gridded(dt).data
    assert np.array_equal(grid.swapaxes(0, 1), given.spikes["a"])


def test_a_layer_of_more_axes_stays_flat_unless_its_shape_is_known(tmp_path: Path) -> None:
    nir_data.write(recording(), tmp_path / "a.nir", 1e-3)
    assert nir_data.read(tmp_path / "a.nir", 1e-3).spikes["map"].shape == (256, 3, 6)
    with pytest.raises(DataError, match="spikes of node 'map'.*reshape"):
        nir_data.read(tmp_path / "a.nir", 1e-3, {"map": (5,)})


def test_foreign_events_at_the_beginning_of_their_step(tmp_path: Path) -> None:
    """Which nir's own way back moves into the step before."""
    spikes = np.ones((1, 256, 1), bool)
    found = nir.TimeGriddedData(spikes, 1e-4).to_event(256)
    assert found.to_time_gridded(1e-4).data.sum() < 256
    graph = nir.NIRGraphData({"a": nir.NIRNodeData({"spikes": found})})
    nir.write_data(tmp_path / "a.nir", graph)
    assert nir_data.read(tmp_path / "a.nir", 1e-4).spikes["a"].sum() == 256


def test_no_spike_is_merged_or_dropped(tmp_path: Path) -> None:
    nir_data.write(recording(), tmp_path / "a.nir", 1e-3)
    with pytest.raises(DataError, match=r"steps of 0\.001 s; 0\.004 s are meant|share a step"):
        nir_data.read(tmp_path / "a.nir", 4e-3)
    late = nir.EventData(np.array([[0]]), np.array([[0.5]]), 1, 0.1)
    graph = nir.NIRGraphData({"a": nir.NIRNodeData({"spikes": late})})
    nir.write_data(tmp_path / "b.nir", graph)
    with pytest.raises(DataError, match="1 events lie outside"):
        nir_data.read(tmp_path / "b.nir", 1e-3)


def test_what_is_no_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file"):
        nir_data.read(tmp_path / "none.nir", 1e-3)
    (tmp_path / "text.nir").write_text("hello, this is no data")
    with pytest.raises(DataError, match="not a readable NIR data"):
        nir_data.read(tmp_path / "text.nir", 1e-3)
    with pytest.raises(DataError, match="say --dt SECONDS"):
        nir_data.write(recording(2), tmp_path / "a.nir", None)


def test_run_writes_it(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from spikeport.backends.conformance import make
    from spikeport.core import store
    from spikeport.verify.cli.app import app

    case = make("lif_neurons")
    store.write(case.network, tmp_path / "m.nir")
    np.save(tmp_path / "x.npy", case.inputs["in"])
    call = f"run {tmp_path}/m.nir --backend reference --input {tmp_path}/x.npy --record all"
    for name in ("r.nir", "r.npz"):
        done = CliRunner().invoke(app, [*call.split(), "--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
    got = nir_data.read(tmp_path / "r.nir", 1e-3)
    with np.load(tmp_path / "r.npz") as kept:
        assert np.array_equal(got.spikes["one"], kept["spikes/one"])
        assert np.array_equal(got.outputs["out"], kept["output"])


# --- files that mean harm --------------------------------------------------------------------

EVENTS = "nodes/a/observables/spikes"


def spoil(path: Path, change: Any, match: str) -> None:
    nir_data.write(recording(20), path, 1e-3)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(DataError, match=match) as error:
        nir_data.read(path, 1e-3)
    assert str(path) in str(error.value)


def attribute(group: str, name: str, value: Any) -> Any:
    def change(file: Any) -> None:
        del file[group].attrs[name]
        if value is not None:
            file[group].attrs[name] = value

    return change


def dataset(name: str, **how: Any) -> Any:
    def change(file: Any) -> None:
        del file[f"{EVENTS}/{name}"]
        file[EVENTS].create_dataset(name, **how)

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (attribute(EVENTS, "n_neurons", 1 << 40), "take over 512 MiB"),
        (attribute(EVENTS, "t_max", 1e12), "take over 512 MiB"),
        (attribute(EVENTS, "t_max", np.inf), "t_max is .*inf"),
        (attribute(EVENTS, "n_neurons", -4), "n_neurons is .*-4"),
        (attribute(EVENTS, "n_neurons", "many"), "n_neurons is 'many'"),
        (attribute(EVENTS, "n_neurons", np.ones(1 << 10)), "no single number"),
        (attribute(EVENTS, "__type__", None), "no attribute '__type__'"),
        (attribute(EVENTS, "__type__", "n" * 5000), "neither a number nor a text"),
        (attribute("nodes/a", "__type__", "NIRGraphData"), "'a' is a graph"),
        (attribute("/", "__type__", "NIRGraph"), "no NIR data"),
        (dataset("time", data=np.full((3, 7), np.nan)), "neurons spike at"),
        (dataset("idx", shape=(1 << 20, 1 << 20), dtype="i8"), "may hold 128 MiB"),
        (dataset("idx", data=np.zeros((2, 3, 4))), "idx is no table of numbers with 2 axes"),
        (lambda file: file[EVENTS].move("idx", "index"), "idx is missing"),
        (lambda file: file["nodes/a/observables"].move("v", "w"), "'a' has 'w'; known are"),
    ],
)
def test_a_file_that_means_harm(tmp_path: Path, change: Any, match: str) -> None:
    spoil(tmp_path / "a.nir", change, match)


def test_times_that_are_none(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file[f"{EVENTS}/time"][0, 0] = np.nan

    spoil(tmp_path / "a.nir", change, "1 events lie outside")


def test_a_link_to_another_file(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file[f"{EVENTS}/idx"]
        file[f"{EVENTS}/idx"] = h5py.ExternalLink("/etc/passwd", "idx")

    spoil(tmp_path / "a.nir", change, "missing or a link out of its place")
