"""spikeport export: a checkpoint, or a network file of lava-dl's, in; a .nir file out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...core.errors import UnsupportedNode
from .base import Json, Out, fresh, say, tell

if TYPE_CHECKING:
    from ...core.network import Network
    from ...export.from_torch.claimed import Claimed
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
    from ..portable import differences

    fresh(out, checkpoint)
    if checkpoint.suffix == ".net":
        lowered, prove = from_lavadl(checkpoint, dt), None
    else:
        made = from_checkpoint(checkpoint, dt, portable)
        lowered, prove = made.lowered, made.prove
    unlike = differences(lowered.network)
    if portable and unlike:
        raise UnsupportedNode(
            "--portable: a reader without our metadata would run another network: "
            + "; ".join(unlike)
        )
    check = written(lowered.network, out, nir_version, prove)
    report(out, lowered, unlike, check, json)


def written(
    network: "Network",
    out: Path,
    nir_version: str | None = None,
    prove: Callable[[], None] | None = None,
) -> str | None:
    """Write the file, which takes its place when the proof has been given: packing and proving
    go on side by side. What nir's own type check says of it, see `store.plainly_typed`."""
    from ...core import store

    with ThreadPoolExecutor(1) as beside:
        proven = None if prove is None else beside.submit(prove)
        told = store.contents(network)
        store.write_contents(told, out, nir_version, None if proven is None else proven.result)
    return store.plainly_typed(told)


def from_checkpoint(path: Path, dt: float, portable: bool | None) -> "Claimed":
    """A trained network, lowered, and the proof that it is the trained one; one in integers is
    lowered already."""
    from ...export.from_torch.claimed import claimed
    from ...export.recipes import FLOAT, PLAIN
    from ...trainer import checkpoint as checkpoints

    trained = checkpoints.load(path)
    steps, content = trained.config.data.steps, trained.content
    passes = FLOAT if portable is False else PLAIN
    return claimed(trained.model, trained.input_shape, passes, dt, steps=steps, content=content)


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
