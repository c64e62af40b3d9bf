"""spikeport run: one network, one engine, arrays in, a recording out."""

from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import ConfigError
from .base import Json, Out, fresh, say, tell
from .files import (
    BackEdge,
    CubaCurrent,
    Dt,
    IfR,
    InputContent,
    Integrator,
    Reset,
    named_arrays,
    paths,
    stated,
    there,
)


def run(
    model: Annotated[Path, typer.Argument(help="a .nir file, ours or foreign, or lava-dl's .net")],
    backend: Annotated[str, typer.Option(help="reference, norse, loihi, lava-fixed, ...")],
    input_: Annotated[
        list[str],
        typer.Option("--input", help="X.npy [T, B, *shape], or NODE=X.npy for each input"),
    ],
    out: Out,
    device: Annotated[
        str, typer.Option(help="of loihi: cpu, cuda, cuda:N or auto; default cpu")
    ] = "",
    record: Annotated[str, typer.Option(help="populations to record: NODE,NODE or all")] = "",
    dt: Dt = None,
    reset: Reset = None,
    back_edge: BackEdge = None,
    if_r: IfR = None,
    cuba_current: CubaCurrent = None,
    input_content: InputContent = None,
    integrator: Integrator = None,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(help="X.npy [T, B, *shape], for engines that run the chip's integers"),
    ] = None,
    json: Json = False,
) -> None:
    """Run a network and write outputs, spikes and states: to an .npz file, or, where --out ends
    in .nir, as NIR data."""
    from ...backends import registry
    from ...core import nir_data, store
    from ...core.recording import checked_inputs
    from ..emulated import by_emulator
    from ..prepare import prepare
    from ..rename import as_original, recorded_for

    read = (model, *paths(input_, calibrate))
    fresh(out, *read)
    there(*read)  # before the engine, whose import takes seconds
    engine = registry.get(backend, device)
    network = store.read(
        model, stated(dt, reset, back_edge, if_r, cuba_current, input_content, integrator)
    )
    inputs = checked_inputs(network, named_arrays(input_, network))
    calibration = None
    if calibrate and network.number_format == "loihi":
        raise ConfigError(f"--calibrate: {model} holds integers, chosen when it was quantised")
    if calibrate:
        calibration = checked_inputs(network, named_arrays(calibrate, network))
    prepared = prepare(network, engine.capabilities(), calibration, run=by_emulator())
    wanted = [name for name in record.split(",") if name]
    with engine.open(prepared.network) as session:
        got = session.run(inputs, recorded_for(wanted, prepared.network, network))
    about = {"model": str(model), **digests(model, network)}
    recording = as_original(got, prepared.network, network, about)
    if out.suffix == ".nir":
        nir_data.write(recording, out, network.meaning.dt)
    else:
        recording.save(out)
    if json:
        tell({name: list(array.shape) for name, array in recording.arrays().items()})
        return
    for name, array in recording.arrays().items():
        say(f"{name}: {array.dtype} {list(array.shape)}")
    say(f"written to {out}")


def digests(path: Path, network: object) -> dict[str, str]:
    """What exactly was run: the file's bytes and the graph's meaning."""
    import hashlib

    from ...core import store

    return {
        "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "graph_digest": store.digest(network),  # type: ignore[arg-type]
    }
