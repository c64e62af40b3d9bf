"""What goes into an engine and what comes out of it: checked at birth, npz in and out."""

import json
import os
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Array, Numbers, Shape
from .errors import DataError
from .files import written_whole
from .network import Network

HEADER = "header"
MANY_BYTES = 16 << 20
DAMAGED = (  # what numpy raises for a file that is none of its own, or was damaged
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    NotImplementedError,
    tokenize.TokenError,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Recording:
    """One run. Arrays are time first, [T, B, *shape].

    outputs: Output node -> its values (float64). spikes: node -> uint8. v, u: node -> state at
    the end of the step, after the reset (float64, or int32 from integer engines). header: what
    ran: engine, versions, semantics, digests.
    """

    outputs: Mapping[str, Array]
    spikes: Mapping[str, Numbers] = field(default_factory=dict)
    v: Mapping[str, Numbers] = field(default_factory=dict)
    u: Mapping[str, Numbers] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)

    def arrays(self) -> dict[str, Numbers]:
        """Every array under its name in the file."""
        found: dict[str, Numbers] = {}
        for name, values in self.outputs.items():
            found[f"output/{name}"] = values
        if len(self.outputs) == 1:
            found["output"] = next(iter(self.outputs.values()))
        for group in ("spikes", "v", "u"):
            for name, values in getattr(self, group).items():
                found[f"{group}/{name}"] = values
        return found

    def __repr__(self) -> str:
        """Names, types and shapes: the arrays would fill the screen many times over."""
        named = (f"{name}: {a.dtype} {list(a.shape)}" for name, a in self.arrays().items())
        return f"Recording({', '.join(named)})"

    def save(self, path: str | Path) -> None:
        """Write an .npz; the header is a JSON string under 'header'. Whole or not at all."""
        with written_whole(path) as part:
            arrays = self.arrays() | {HEADER: np.array(json.dumps(dict(self.header)))}
            with part.open("wb") as file:
                np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def checked_inputs(
    network: Network, given: Mapping[str, Numbers], as_bytes: Collection[str] = ()
) -> dict[str, Array]:
    """The inputs as float64 [T, B, *shape], one for each Input node; DataError if any is
    missing, too many, of the wrong shape, empty, not a number, or not 0 and 1 where spikes are
    declared. as_bytes: inputs that are
    spikes and come back as uint8."""
    wanted = set(network.inputs)
    if set(given) != wanted:
        raise DataError(
            f"the network's inputs are {', '.join(sorted(wanted))}; given are "
            f"{', '.join(sorted(given)) or 'none'} (name each one: --input NODE=X.npy)"
        )
    checked: dict[str, Array] = {}
    for name, values in given.items():
        shape: Shape = network.nodes[name].output_shape(())
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise DataError(f"input {name!r} holds {array.dtype}, not numbers")
        if array.ndim != 2 + len(shape) or array.shape[2:] != shape:
            raise DataError(
                f"input {name!r} has shape {list(array.shape)}; the network takes "
                f"[T, B, {', '.join(map(str, shape))}]"
            )
        if 0 in array.shape[:2]:
            raise DataError(
                f"input {name!r} has T = {array.shape[0]} steps and B = {array.shape[1]} "
                "samples; both must be at least 1"
            )
        if array.dtype.kind == "f" and not np.isfinite(stored_once(array)).all():
            raise DataError(f"input {name!r} holds numbers that are NaN or infinite")
        if getattr(network.nodes[name], "content", "") == "spikes":
            check_binary(name, array)
        kind = np.uint8 if name in as_bytes else np.float64
        checked[name] = converted(array, kind)
    if len({array.shape[:2] for array in checked.values()}) > 1:
        sizes = {name: list(array.shape[:2]) for name, array in checked.items()}
        raise DataError(f"the inputs differ in [T, B]: {sizes}")
    return checked


def stored_once(values: Numbers) -> Numbers:
    """[T, ...] -> [1, ...] where one step is stored for all."""
    return values[:1] if len(values) > 1 and values.strides[0] == 0 else values


def converted(values: Numbers, kind: type[np.generic]) -> Array:
    """In another type; one step that is stored for all steps stays so."""
    once = stored_once(values)
    made = once.astype(kind, copy=False)
    return made if once is values else np.broadcast_to(made, values.shape)


def check_binary(name: str, values: Numbers) -> None:
    """DataError unless the values are spikes."""
    once = stored_once(values)
    if once.dtype == np.uint8 and largest_byte(once) <= 1:
        return
    good = (once == 0) | (once == 1)
    if not good.all():
        worst = once[~good].flat[0]
        raise DataError(
            f"input {name!r} takes spikes, 0 or 1, and is given {worst:g}; encode it as spikes, "
            "or declare the input as 'analogue'"
        )


def largest_byte(values: Numbers) -> int:
    """The largest; of many bytes, on all cores."""
    if values.nbytes < MANY_BYTES:
        return int(values.max(initial=0))
    longer = int(values.shape[1] > len(values))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ThreadPoolExecutor(cores) as pool:
        parts = np.array_split(values, 4 * (cores or 1), axis=longer)
        return max(pool.map(lambda part: int(part.max(initial=0)), parts))


def wanted_nodes(network: Network, record: Collection[str]) -> tuple[str, ...]:
    """The nodes to record; 'all' means every population. DataError names one that is none.
    One that is named twice is kept once."""
    populations = [n for n, node in network.nodes.items() if hasattr(node, "spiking")]
    if "all" in record:
        return tuple(populations)
    for name in record:
        if name not in populations:
            raise DataError(
                f"node {name!r} cannot be recorded; the populations are {', '.join(populations)}"
            )
    return tuple(dict.fromkeys(record))


def load_array(path: Path) -> Numbers:
    """A plain .npy of numbers; DataError says what is wrong with the file."""
    try:
        loaded = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"no file {path}") from None
    except DAMAGED as error:
        raise DataError(f"{path} is not a readable .npy file: {error}") from None
    if not isinstance(loaded, np.ndarray):
        raise DataError(f"{path} is an .npz archive; one array in a .npy file is meant")
    return loaded
