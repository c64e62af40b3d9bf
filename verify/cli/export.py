"""spikeport export: a checkpoint, or a network file of lava-dl's, in; a .nir file out."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...core.errors import UnsupportedNode
from .base import Json, Out, fresh, say, tell

if TYPE_CHECKING:
    from ...export.passes.base import Lowered


def export(
    checkpoint: Annotated[
        Path, typer.Argument(help="best.ckpt of a training run, or a .net file of lava-dl's")
    ],
    out: Out,
    portable: Annotated[
        bool | None,
        typer.Option(
            help="refuse whatever a reader without our metadata would run differently; "
            "--no-portable: leave rectangular kernels and groups as they are"
        ),
    ] = None,
    dt: Annotated[float, typer.Option(help="seconds a time step")] = 1e-3,
    nir_version: Annotated[
        Literal["1.0.4"] | None,
        typer.Option(help="for readers up to that nir (Sinabs'): no v_reset, which must be 0"),
    ] = None,
    json: Json = False,
) -> None:
    """Lower a trained network to a NIR graph: norms folded, pools and shapes checked. One that
    was fine-tuned in the chip's integers is written in them. A .net file becomes the same
    integers in a graph of pipelined timing."""
    from ...core import store
    from ..portable import differences

    fresh(out, checkpoint)
    if checkpoint.suffix == ".net":
        lowered = from_lavadl(checkpoint, dt)
    else:
        lowered = from_checkpoint(checkpoint, dt, portable)
    unlike = differences(lowered.network)
    if portable and unlike:
        raise UnsupportedNode(
            "--portable: a reader without our metadata would run another network: "
            + "; ".join(unlike)
        )
    told = store.contents(lowered.network)
    store.write_contents(told, out, nir_version)
    check = store.plainly_typed(told)
    report(out, lowered, unlike, check, json)


def from_checkpoint(path: Path, dt: float, portable: bool | None) -> "Lowered":
    """A trained network, lowered; one in integers is so already."""
    from ...export.from_torch import lower
    from ...export.passes.base import Lowered, run_passes
    from ...export.recipes import FLOAT, PLAIN
    from ...trainer import checkpoint as checkpoints

    trained = checkpoints.load(path)
    steps, content = trained.config.data.steps, trained.content
    network = lower(trained.model, trained.input_shape, dt, steps=steps, content=content)
    if network.number_format == "loihi":
        return Lowered(network, ())
    return run_passes(network, FLOAT if portable is False else PLAIN)


def from_lavadl(path: Path, dt: float) -> "Lowered":
    """A chip's network, as it is."""
    from ...core import store
    from ...export.passes.base import Lowered

    return Lowered(store.read(path, store.Stated(dt=dt)), ())


def report(path: Path, lowered: Any, unlike: list[str], check: str | None, json: bool) -> None:
    """What was written, and what others will make of it."""
    from ...core import store

    if json:
        tell(
            {
                "file": str(path),
                "digest": store.digest(lowered.network),
                "passes": list(lowered.network.history),
                "differences_to_plain_readers": unlike,
                "plain_nir_read": check,
            }
        )
        return
    say(f"{path}: {len(lowered.network.nodes)} nodes; {', '.join(lowered.network.history)}")
    for line in unlike:
        say(f"note: {line}")
    if check is not None:
        say(f"note: this file needs nir.read(..., type_check=False): {check}")
