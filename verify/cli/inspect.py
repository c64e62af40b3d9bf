"""spikeport inspect: what a file holds."""

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...core.errors import ConfigError, DataError
from .base import Json, tell
from .files import BackEdge, CubaCurrent, Dt, IfR, InputContent, Integrator, Reset, stated

if TYPE_CHECKING:
    from ...core.network import Network


def inspect(
    file: Annotated[
        Path, typer.Argument(help="a .nir or .net file, a recording (.npz), a checkpoint")
    ],
    dt: Dt = None,
    reset: Reset = None,
    back_edge: BackEdge = None,
    if_r: IfR = None,
    cuba_current: CubaCurrent = None,
    input_content: InputContent = None,
    integrator: Integrator = None,
    json: Json = False,
) -> None:
    """Show what a file holds."""
    if file.suffix == ".npz":
        told = recording(file)
    elif file.suffix == ".ckpt":
        told = checkpoint(file)
    elif file.suffix in (".nir", ".net"):
        from ...core import store

        said = stated(dt, reset, back_edge, if_r, cuba_current, input_content, integrator)
        told = network(store.read(file, said), file)
    else:
        raise ConfigError(f"{file}: a .nir, .net, .npz or .ckpt file can be inspected")
    if json:
        tell(told)
    else:
        show(told)


def network(found: "Network", file: Path) -> dict[str, Any]:
    """Nodes in the order in which they run."""
    from ...core import store
    from ...core.schedule import compile

    program = compile(found)
    meaning = found.meaning
    late = meaning.timing == "pipelined"
    return {
        "file": str(file),
        "nodes": [
            {
                "name": name,
                "kind": found.nodes[name].kind,
                "shape": list(program.shapes[name]),
                "hears": list(program.now[name]),
                "hears_previous_step_of": list(program.before[name]),
                "parameters": parameters(found.nodes[name]),
                "says": numbers(found.nodes[name]),
            }
            for name in program.order
        ],
        "meaning": {
            "dt_seconds": meaning.dt,
            "steps": meaning.steps,
            "readout": meaning.readout,
            "timing": meaning.timing,
            "back_edge_at_t0": "nothing" if late else meaning.back_edge_at_t0,
            "trained_digest": meaning.trained_digest,
        },
        "history": list(found.history),
        "digest": store.digest(found),
        **(plain_readers(found, file) if file.suffix == ".nir" else {}),
    }


def plain_readers(found: "Network", file: Path) -> dict[str, Any]:
    """What others make of a .nir file."""
    from ...core import store
    from ..portable import differences

    return {
        "plain_nir_read": store.plainly_readable(file) or "reads it",
        "differences_to_plain_readers": differences(found),
    }


def parameters(node: Any) -> int:
    """How many numbers a node holds; a chip synapse those of the map in it."""
    held = getattr(node, "synapse", node)
    values = [getattr(held, key) for key in held.arrays]
    return sum(int(value.size) for value in values if value is not None)


def numbers(node: Any) -> str:
    """A node's settings in a few words: what differs from its defaults."""
    from dataclasses import MISSING, fields

    inner = getattr(node, "synapse", None)
    said = [] if inner is None else [numbers(inner)]
    for field in fields(node):
        value = getattr(node, field.name)
        usual = field.default_factory() if field.default_factory is not MISSING else field.default
        hidden = ("weight", "shape", "scale", "synapse")
        if value is None or field.name in hidden or same(value, usual):
            continue
        value = getattr(value, "name", value)
        size = getattr(value, "size", 1)
        said.append(f"{field.name}[{size}]" if size > 1 else f"{field.name}={value}")
    return " ".join(text for text in said if text)


def same(value: Any, usual: Any) -> bool:
    """Whether a setting is its default."""
    import numpy as np

    return usual is not None and np.shape(value) == np.shape(usual) and bool(np.all(value == usual))


def recording(file: Path) -> dict[str, Any]:
    """Arrays and header."""
    import numpy as np

    from ...core.recording import DAMAGED

    try:
        with np.load(file, allow_pickle=False) as held:
            arrays = {n: held[n] for n in held.files}
    except FileNotFoundError:
        raise DataError(f"no file {file}") from None
    except DAMAGED as error:
        raise DataError(f"{file} is not a readable .npz file: {error}") from None
    header = arrays.pop("header", None)
    return {
        "file": str(file),
        "arrays": {n: f"{a.dtype} {list(a.shape)}" for n, a in arrays.items()},
        "header": None if header is None else json_.loads(str(header)),
    }


def checkpoint(file: Path) -> dict[str, Any]:
    """Settings and metrics."""
    from ...trainer import checkpoint as checkpoints

    trained = checkpoints.load(file)
    return {
        "file": str(file),
        "metrics": dict(trained.metrics),
        "input_shape": list(trained.input_shape),
        "classes": trained.classes,
        "trained_digest": checkpoints.trained_digest(trained.model),
        "config": trained.config.model_dump(),
    }


def show(told: dict[str, Any]) -> None:
    """For people."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    nodes = told.pop("nodes", None)
    if nodes is not None:
        table = Table("node", "kind", "shape", "hears", "parameters", "says")
        for node in nodes:
            late = [f"{n} (previous step)" for n in node["hears_previous_step_of"]]
            table.add_row(
                node["name"],
                node["kind"],
                str(node["shape"]),
                ", ".join([*node["hears"], *late]),
                f"{node['parameters']:,}",
                node["says"],
            )
        console.print(table)
    console.print_json(json_.dumps(told))
