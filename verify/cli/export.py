"""spikeport export: a checkpoint, or a network file of lava-dl's, in; a .nir file out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...core.errors import UnsupportedNode
from .base import Json, Out, fresh, say, tell

if TYPE_CHECKING:
    from ...core.network import Edge, Network
    from ...export.from_torch.claimed import Claimed
    from ...export.passes.base import Lowered


def export(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            help="best.ckpt of a training run, a .nir file of ours, or a .net file of lava-dl's"
        ),
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
    reader: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="write it so that this library's own importer reads it right, or refuse with what "
            "that would change: norse, snntorch, spikingjelly, sinabs",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Lower a trained network to a NIR graph: norms folded, pools and shapes checked. One that
    was fine-tuned in the chip's integers is written in them. A .net file becomes the same
    integers in a graph of pipelined timing."""
    from ..portable import differences
    from ..readers import edges_for, importer, written_for

    fresh(out, checkpoint)
    consumer = None if reader is None else importer(reader)
    if checkpoint.suffix == ".net":
        lowered, prove = from_lavadl(checkpoint, dt), None
    elif checkpoint.suffix == ".nir":
        lowered, prove = from_ours(checkpoint, portable), None
    else:
        made = from_checkpoint(checkpoint, dt, portable)
        lowered, prove = made.lowered, made.prove
    unlike = differences(lowered.network)
    edges = None
    if consumer is not None:
        lowered = replace(lowered, network=written_for(lowered.network, consumer))
        step = lowered.network.meaning.dt or 0
        unlike = [f"read it by {consumer.call.format(dt=step)}; it {consumer.changes}"]
        edges = edges_for(lowered.network, consumer)
    if portable and consumer is None and unlike:
        raise UnsupportedNode(
            "--portable: a reader without our metadata would run another network: "
            + "; ".join(unlike)
        )
    check = written(lowered.network, out, nir_version, prove, edges)
    report(out, lowered, unlike, check, json)


def written(
    network: "Network",
    out: Path,
    nir_version: str | None = None,
    prove: Callable[[], None] | None = None,
    edges: "list[Edge] | None" = None,
) -> str | None:
    """Write the file, which takes its place when the proof has been given: packing and proving
    go on side by side. edges: in an order that matters to who reads it. What nir's own type check
    says of it, see `store.plainly_typed`."""
    from ...core import store

    with ThreadPoolExecutor(1) as beside:
        proven = None if prove is None else beside.submit(prove)
        told = store.contents(network) | ({} if edges is None else {"edges": edges})
        store.write_contents(told, out, nir_version, None if proven is None else proven.result)
    return store.plainly_typed(told)


def from_checkpoint(path: Path, dt: float, portable: bool | None) -> "Claimed":
    """A trained network, lowered, and the proof that it is the trained one; one in integers is
    lowered already."""
    from ...export.from_torch.claimed import claimed
    from ...export.recipes import FLOAT, PLAIN
    from ...trainer import checkpoint as checkpoints
    from ...trainer.memory import keep_freed

    keep_freed()  # every layer of the proof's passes takes memory of the same sizes
    trained = checkpoints.load(path)
    steps, content = trained.config.data.steps, trained.content
    passes = FLOAT if portable is False else PLAIN
    return claimed(trained.model, trained.input_shape, passes, dt, steps=steps, content=content)


def from_ours(path: Path, portable: bool | None) -> "Lowered":
    """A network that was written before; one in integers as it is."""
    from ...core import store
    from ...export.passes.base import Lowered, run_passes
    from ...export.recipes import FLOAT, PLAIN

    network = store.read(path)
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
