"""Fields of a layer in a .net file: each is understood or refused by name."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from .arrays import Numbers, Shape
from .errors import NetworkError, UnsupportedNode
from .loihi import Integers

Tree = Mapping[str, Any]  # name -> array, number, text, or the fields of a group
LARGEST = 1 << 31  # of a whole number
MAX_NEURONS = 1 << 26  # of a layer
MAX_DELAY = 62  # of steps; netx lowers what is above
TRAINING = {"theta", "scaleRho", "tauRho"}  # of SLAYER's gradients; netx does not read them
MUST_BE = {  # neuron field -> (the only value that netx runs as SLAYER does, what else it means)
    "refDelay": (1, "netx has no refractory period"),
    "gradedSpike": (0, "netx sends spikes of 0 and 1 from such neurons"),
    "wgtExp": (0, "netx leaves it out"),
    "weight_exp": (0, "netx leaves it out"),
}


def known(
    where: str, told: Tree, wanted: Collection[str], optional: Collection[str] | None
) -> None:
    """NetworkError unless all wanted fields are there, and no other than the optional ones
    (None: any)."""
    missing = sorted(set(wanted) - told.keys())
    unknown = [] if optional is None else sorted(told.keys() - set(wanted) - set(optional))
    if missing:
        raise NetworkError(f"{where} has no {', '.join(map(repr, missing))}")
    if unknown:
        raise NetworkError(
            f"{where} says {', '.join(map(repr, unknown))}, which netx does not know or does not "
            "run; take it out if it means nothing"
        )


def group(told: Tree, name: str) -> Tree:
    """A group."""
    found = told[name]
    if not isinstance(found, dict):
        raise NetworkError(f"{name!r} is not a group")
    return found


def text(told: Tree, name: str) -> str:
    """One word, as text or as an array with one text."""
    found = np.asarray(told[name])
    word = found.ravel()[0] if found.size == 1 else None
    if isinstance(word, bytes):
        word = word.decode("utf8", "replace")
    if not isinstance(word, str):
        raise NetworkError(f"{name} is not one word")
    return str(word)


def numbers(told: Tree, name: str) -> Numbers:
    """An array of numbers."""
    if isinstance(told[name], dict):
        raise UnsupportedNode(f"{name} is a group of arrays, as complex weights are; not run")
    found = np.asarray(told[name])
    if found.dtype.kind not in "biuf":
        raise NetworkError(f"{name} holds {found.dtype}, not numbers")
    if not np.isfinite(found).all() or not found.size:
        raise NetworkError(f"{name} is empty or holds numbers that are NaN or infinite")
    return found


def whole(told: Tree, name: str) -> Integers:
    """An array of whole numbers."""
    found = numbers(told, name).astype(np.float64)
    wrong = (found != np.rint(found)) | (np.abs(found) >= LARGEST)
    if wrong.any():
        raise NetworkError(
            f"{name} holds {found[wrong].flat[0]:.9g}; whole numbers below 2^31 are meant, and "
            "netx would cut it in silence"
        )
    return found.astype(np.int64)


def rows(told: Tree, name: str, size: int) -> Integers:
    """A matrix [size, inputs], which may be written in one row."""
    found = whole(told, name)
    if found.ndim == 1 and found.size % size == 0:
        found = found.reshape(size, -1)
    if found.ndim != 2 or len(found) != size:
        raise NetworkError(f"{name} has shape {list(found.shape)}; [{size}, inputs] is meant")
    return found


def one(told: Tree, name: str, usual: int) -> int:
    """One whole number, or the usual one."""
    if name not in told:
        return usual
    found = whole(told, name)
    if found.size != 1:
        raise NetworkError(f"{name} has shape {list(found.shape)}; one number is meant")
    return int(found.flat[0])


def pair(told: Tree, name: str) -> tuple[int, int]:
    """(y, x) from one number or two."""
    found = whole(told, name).ravel()
    if found.size not in (1, 2):
        raise NetworkError(f"{name} holds {found.size} numbers; one or (y, x) is meant")
    return int(found[0]), int(found[-1])


def shape_of(told: Tree) -> Shape:
    """The layer's shape: [channels, y, x] or [neurons]."""
    found = whole(told, "shape")
    if found.ndim != 1 or not 1 <= found.size <= 3 or found.min() < 1:
        raise NetworkError(
            f"shape is {found.tolist() if found.size < 9 else f'an array {list(found.shape)}'}; "
            "one to three positive numbers are meant"
        )
    shape = tuple(int(n) for n in found)
    if math.prod(shape) > MAX_NEURONS:
        raise NetworkError(f"shape {list(shape)} is over {MAX_NEURONS} neurons")
    return shape


def fits(said: Shape, found: Shape, what: str = "shape") -> None:
    """NetworkError unless a shape is the one that follows from the rest."""
    if said != found:
        raise NetworkError(
            f"{what} is {list(said)}, and {list(found)} follows from the rest; weights are [out, "
            "in, y, x] and shapes [channels, y, x]"
        )


def stated(told: Tree, name: str, found: int) -> None:
    """NetworkError if the file states another number."""
    if one(told, name, found) != found:
        raise NetworkError(f"{name} is {one(told, name, found)}, the weights say {found}")


def per_channel(name: str, values: Numbers, shape: Shape) -> Numbers:
    """One number for all, or one a channel, for a layer [channels, ...]: () or the shape."""
    if values.size == 1:
        return values.reshape(())
    if values.shape != shape[:1]:
        raise NetworkError(
            f"{name} has shape {list(values.shape)}; one number, or [{shape[0]}], is meant"
        )
    return np.broadcast_to(values.reshape(-1, *(1,) * (len(shape) - 1)), shape)


def delays(told: Tree, weights: Shape) -> tuple[Numbers, bool]:
    """(steps, whether they are of the neurons that hear): netx takes a vector for theirs if its
    length allows it, else for the inputs'."""
    found = whole(told, "delay")
    if found.min() < 0 or found.max() > MAX_DELAY:
        worst = found.min() if found.min() < 0 else found.max()
        raise NetworkError(f"delay of {worst} steps; netx has 0 to {MAX_DELAY}")
    if found.ndim == 0 or found.shape in ((weights[0],), (weights[1],)):
        return found, found.shape != (weights[1],) or found.shape == (weights[0],)
    raise NetworkError(
        f"delay has shape {list(found.shape)}; one number, [{weights[0]}] or [{weights[1]}] is "
        "what can be run"
    )


def registers(neuron: Tree, shape: Shape) -> dict[str, Any]:
    """The registers of a layer's neurons, as ChipNeuron has them."""
    known("the neuron", neuron, {"type"}, None)
    kind = text(neuron, "type")
    if kind not in ("LOIHI", "CUBA"):
        raise UnsupportedNode(f"neurons of type {kind!r}; LOIHI and CUBA are what can be run")
    wanted = {"type", "iDecay", "vDecay", "vThMant"}
    known("the neuron", neuron, wanted, MUST_BE.keys() | TRAINING)
    for name, (value, why) in MUST_BE.items():
        if name in neuron and (numbers(neuron, name) != value).any():
            raise UnsupportedNode(f"{name} is {numbers(neuron, name).flat[0]}; {why}")
    du, dv, vth = (per_channel(n, whole(neuron, n), shape) for n in ("iDecay", "vDecay", "vThMant"))
    beyond = du.min() < 1 or dv.max() >= 4096 or vth.max() >= 1 << 17
    return {"du": du - 1, "dv": dv, "vth": vth, "simulator_only": bool(beyond)}


def steps_of(tree: Tree) -> int | None:
    """The steps of a sample, where the file states them."""
    if "simulation" not in tree:
        return None
    told = group(tree, "simulation")
    known("'simulation'", told, set(), {"Ts", "tSample"})
    if told.keys() != {"Ts", "tSample"}:
        return None
    each, length = (float(numbers(told, name).flat[0]) for name in ("Ts", "tSample"))
    steps = length / each if each > 0 else 0.0
    return int(steps) if 1 <= steps < LARGEST and steps == int(steps) else None
