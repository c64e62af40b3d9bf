"""spikeport quantise: a .nir file in real numbers in, one in Loihi's integers out, and what that
cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from .base import Json, Out, fresh, makeable, say, tell
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
)

if TYPE_CHECKING:
    from ..quantisation import Cost


def quantise(
    model: Annotated[Path, typer.Argument(help="a .nir file in real numbers, ours or foreign")],
    calibrate: Annotated[
        list[str], typer.Option(help="X.npy [T, B, *shape], or NODE=X.npy for each input")
    ],
    out: Out,
    bits: Annotated[int, typer.Option(help="of a weight, sign included: 2 to 8")] = 8,
    method: Annotated[
        Literal["spikes", "mse", "percentile", "max"],
        typer.Option(help="what scales are chosen by"),
    ] = "spikes",
    percentile: Annotated[float, typer.Option(help="of method percentile")] = 99.9,
    equalise: Annotated[
        bool, typer.Option(help="a scale for each output channel; thresholds then differ")
    ] = False,
    correct_bias: Annotated[
        bool, typer.Option(help="take the sums' mean error into the biases")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="folder for quantisation.json and quantisation.svg")
    ] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="other data for the report: X.npy or NODE=X.npy")
    ] = None,
    dt: Dt = None,
    reset: Reset = None,
    back_edge: BackEdge = None,
    if_r: IfR = None,
    cuba_current: CubaCurrent = None,
    input_content: InputContent = None,
    integrator: Integrator = None,
    json: Json = False,
) -> None:
    """Choose integers for a network on calibration data, write them, say what they cost."""
    from ...core import store
    from ...core.recording import checked_inputs
    from ...export.passes.base import run_passes
    from ...export.quantise import Options, Quantise
    from ..emulated import by_emulator, chip_capabilities
    from ..prepare import passes_for
    from ..quantisation import cost
    from ..report.pictures import ready

    fresh(out, model, *paths(calibrate, test))
    if report is not None:
        makeable(report)
        ready()
    options = Options(method, bits, percentile, equalise, correct_bias)
    network = store.read(
        model, stated(dt, reset, back_edge, if_r, cuba_current, input_content, integrator)
    )
    data = checked_inputs(network, named_arrays(calibrate, network))
    other = checked_inputs(network, named_arrays(test, network)) if test else data
    run = by_emulator()
    lowered = run_passes(network, passes_for(network, chip_capabilities())).network
    made = Quantise(data, options, run).apply(lowered)
    found = cost(lowered, made, other, run)
    told = facts(found, made)
    store.write(made.network, out)
    if report is not None:
        write(report, told)
    for doubt in made.doubts:
        say(f"warning: {doubt}")
    if json:
        tell(told)
    else:
        show(found)
        if told["host"]:
            say(f"on the host, in real numbers: {', '.join(told['host'])}")
        say(f"written to {out}")


def facts(found: "Cost", made: Any) -> dict[str, Any]:
    """JSON-ready."""
    from dataclasses import asdict

    from ...backends.split import split
    from ...core import store
    from ...core.nodes import Input, Output
    from ...core.schedule import compile
    from ..report.facts import quantisation

    host = split(compile(made.network)).host
    return {
        "host": [n for n in host if not isinstance(made.network.nodes[n], Input | Output)],
        "digest": store.digest(made.network),
        "history": list(made.network.history),
        "chosen": quantisation(made.chosen),
        "doubts": list(made.doubts),
        "cost": asdict(found),
    }


def write(folder: Path, told: dict[str, Any]) -> None:
    """quantisation.json and quantisation.svg."""
    import json

    from ...core.files import written_whole
    from ..report.pictures import quantisation_cost

    texts = {
        "quantisation.json": json.dumps(told, indent=1),
        "quantisation.svg": quantisation_cost(told["cost"]),
    }
    for name, text in texts.items():
        with written_whole(folder / name) as part:
            part.write_text(text, encoding="utf8")


def show(found: "Cost") -> None:
    """For people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"what the integers cost, {found.samples} samples of {found.steps} steps")
    table.add_column("layer")
    for name in ("rate", "in integers", "flipped, alone", "end to end", "SMAPE, alone"):
        table.add_column(name, justify="right")
    for name in ("end to end", "wrapped", "saturated", "unused weights", "clipped"):
        table.add_column(name, justify="right")
    for layer in found.layers:
        table.add_row(
            layer.name,
            f"{layer.rate:.4f}",
            f"{layer.integer_rate:.4f}",
            f"{100 * layer.single.flipped:.3f} %",
            f"{100 * layer.cumulative.flipped:.3f} %",
            f"{100 * layer.single.smape:.2f} %",
            f"{100 * layer.cumulative.smape:.2f} %",
            f"{100 * layer.wrapped:.3g} %",
            f"{100 * layer.saturated:.3g} %",
            f"{100 * layer.unused_weights:.1f} %",
            str(layer.clipped_weights),
        )
    for layer in found.layers:
        if layer.rate > 0 and layer.integer_rate == 0:
            say(f"{layer.name} is silent in integers: more bits or another method are needed")
    if not any(layer.rate for layer in found.layers):
        say("nothing spiked on this data, so that nothing was compared")
    console = Console()
    (console if console.is_terminal else Console(width=130)).print(table)
    if found.first_layer is None:
        say("no spike differs")
    else:
        say(f"first differs at step {found.first_step} in {found.first_layer}")
