"""NIR's node types -> our nodes: field by field, with time constants turned into one step.

Forward Euler with the network's dt (or exact for an input that stays for a step, where a decay is
exp(-dt / tau) in place of 1 - dt / tau: `integrator`). For v_leak = 0:
    LIF      v = a v + g x            tau = dt / (1 - a), r = g / (1 - a)
    CubaLIF  u = c u + k x; v = ...   tau_syn = dt / (1 - c), w_in = k / (1 - c)
    IF       v = v + g x              r = g / dt
and v_leak = bias / (1 - a). The decays that a file of ours also states as float64 win, since
a -> tau -> 1 - dt / tau moves a third of all decays by a bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from .arrays import Array, Shape, collapsed, frozen, pair
from .errors import NetworkError, UnsupportedNode
from .metadata import Decays, NodeMetadata, Rows, Values
from .nodes import (
    AvgPool2d,
    Conv,
    Delay,
    Flatten,
    Input,
    Linear,
    Neuron,
    Node,
    Output,
    Scale,
    SumPool2d,
)
from .timed import Schedule

Fields = Mapping[str, Any]
MAX_AXES = 8
LARGEST = 1 << 31  # of a whole number
CLOSE = 1e-12  # how far a stated decay may lie from what the file's time constants give


@dataclass(frozen=True)
class Told:
    """What must be known beside the file's fields. dt in seconds."""

    dt: float | None = None
    if_r: Literal["step", "ode"] | None = None
    reset: Literal["value", "subtract"] = "value"
    integrator: Literal["forward_euler", "exponential"] = "forward_euler"


def node_from(kind: str, fields: Fields, told: Told, about: NodeMetadata | None) -> Node:
    """One of our nodes from a NIR type and its fields; NetworkError says what is wrong."""
    try:
        read, wanted, optional = READERS[kind]
    except KeyError:
        raise UnsupportedNode(
            f"type {kind!r} is not one of {', '.join(READERS)}; rewrite the graph with those"
        ) from None
    missing = wanted - fields.keys()
    unknown = fields.keys() - wanted - optional
    if missing or unknown:
        raise NetworkError(
            f"type {kind}: "
            + "; ".join(
                f"field {', '.join(sorted(names))} {what}"
                for names, what in ((missing, "is missing"), (unknown, "is unknown"))
                if names
            )
        )
    with np.errstate(all="ignore"):  # what is not finite is refused by the network
        node = read(kind, fields, told)
    if isinstance(node, Neuron) and (about is None or about.decays is None):
        refuse_short(node, told)
    return annotated(node, about) if isinstance(node, Neuron) else node


def refuse_short(node: Neuron, told: Told) -> None:
    """NetworkError for a foreign time constant below dt: most likely another unit of time."""
    for name, decay in (("membrane", node.decay_v), ("current", node.decay_u)):
        if decay is not None and (decay < 0).any():
            raise NetworkError(
                f"its {name} has a time constant shorter than a step of {told.dt} s, so that it "
                f"would change sign at every step (decay {float(decay.min()):.6g}); time constants "
                "are in seconds: say a smaller --dt, or write the file in seconds (Norse 1.1 "
                "writes them times its dt, 0.001 where it is not told another: --dt "
                f"{(told.dt or 1) * 1e-3:g} undoes that)"
            )


def annotated(node: Neuron, about: NodeMetadata | None) -> Neuron:
    """The neuron with what our metadata says of it; its exact numbers win."""
    if about is None:
        return node
    changes: dict[str, Any] = {"refractory": about.refractory}
    if about.reset is not None:
        changes["reset"] = about.reset
    if about.compare is not None:
        changes["compare"] = about.compare
    if about.reset_amount is not None:
        changes["reset_amount"] = stated_numbers("reset_amount", about.reset_amount)
    if about.decays is not None:
        changes |= exact(node, about.decays)
    if about.schedule is not None:
        changes["schedule"] = scheduled(about.schedule)
    return replace(node, **changes)


def scheduled(told: Rows) -> Schedule:
    """The numbers that change; NetworkError if they are no table."""
    try:
        return Schedule.of(told.model_dump())
    except (TypeError, ValueError, OverflowError) as error:
        raise NetworkError(f"metadata key 'schedule' is no table of numbers: {error}") from None


def exact(node: Neuron, decays: Decays) -> dict[str, Array]:
    """The stated numbers, once they have been held against the file's time constants."""
    stated = {
        "decay_v": decays.v,
        "decay_u": decays.u,
        "gain_u": decays.gain_u,
        "gain_v": decays.gain_v,
        "bias": decays.bias,
    }
    found: dict[str, Array] = {}
    for name, values in stated.items():
        derived = getattr(node, name)
        if (values is None) != (derived is None):
            raise NetworkError(f"metadata and node disagree on whether there is a {name}")
        if values is None:
            continue
        array = stated_numbers(name, values)
        fits = array.shape in ((), node.shape)
        with np.errstate(all="ignore"):
            bounds = CLOSE * np.maximum(1, np.abs(array))
            close = fits and bool((np.abs(array - derived) <= bounds).all())
        if not close:
            raise NetworkError(
                f"metadata says {name} = {brief(array)}, the node's fields give "
                f"{brief(derived)}: the file was changed after it was written"
            )
        found[name] = array
    return found


def stated_numbers(name: str, values: Values) -> Array:
    """Numbers of the metadata; NetworkError if they are no table."""
    try:
        return collapsed(values)
    except (TypeError, ValueError, OverflowError):
        raise NetworkError(f"metadata key {name!r} is no table of numbers") from None


def brief(values: Array) -> str:
    """An array in a few characters."""
    if values.size == 0:
        return f"an array {list(values.shape)}"
    more = ", ..." if values.size > 1 else ""
    return f"{float(values.flat[0]):.17g}{more}"


def read_linear(kind: str, fields: Fields, told: Told) -> Node:
    """Linear, Affine."""
    return Linear(numbers(fields, "weight"), numbers(fields, "bias") if "bias" in fields else None)


def read_conv(kind: str, fields: Fields, told: Told) -> Node:
    """Conv1d, Conv2d; 'same' and 'valid' become numbers."""
    weight = numbers(fields, "weight")
    axes = int(kind[4])
    if weight.ndim != 2 + axes:
        raise NetworkError(f"weight has shape {list(weight.shape)}; {2 + axes} axes are meant")
    stride, dilation = (whole(fields, name, axes) for name in ("stride", "dilation"))
    return Conv(
        weight,
        numbers(fields, "bias"),
        stride,
        padding_of(fields["padding"], weight.shape[2:], stride, dilation, fields),
        dilation,
        int(whole(fields, "groups", 1)[0]),
    )


def padding_of(given: Any, kernel: Shape, stride: Shape, dilation: Shape, fields: Fields) -> Shape:
    """Padding as numbers."""
    word = given.decode("utf8", "replace") if isinstance(given, bytes) else given
    if not isinstance(word, str):
        return whole(fields, "padding", len(kernel))
    if word == "valid":
        return (0,) * len(kernel)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    if word != "same" or max(stride) > 1 or any(r % 2 for r in reach):
        raise NetworkError(
            f"padding {word!r} with kernel {kernel}, stride {stride}, dilation {dilation}; "
            "what can be run is a number, 'valid', or 'same' with stride 1 where dilation * "
            "(kernel - 1) is even"
        )
    return tuple(r // 2 for r in reach)


def read_pool(kind: str, fields: Fields, told: Told) -> Node:
    """SumPool2d, AvgPool2d."""
    made = SumPool2d if kind == "SumPool2d" else AvgPool2d
    kernel, stride, padding = (
        pair(whole(fields, n, 2)) for n in ("kernel_size", "stride", "padding")
    )
    return made(kernel, stride, padding)


def read_flatten(kind: str, fields: Fields, told: Told) -> Node:
    """Flatten; its input type is inferred anew."""
    return Flatten(*(int(whole(fields, n, 1)[0]) for n in ("start_dim", "end_dim")))


def read_delay(kind: str, fields: Fields, told: Told) -> Node:
    """Delay, in whole steps of dt."""
    delay = numbers(fields, "delay")
    if told.dt is None:
        raise NetworkError("a delay in seconds needs dt; say --dt SECONDS")
    if delay.size == 0:
        raise NetworkError("delay holds no numbers; one, or one for each element, is meant")
    steps = delay / told.dt
    apart = ~((np.abs(steps - np.round(steps)) <= 1e-6) & (np.abs(steps) < LARGEST))
    if apart.any():
        raise NetworkError(
            f"delay is {float(delay[apart][0]):g} s; a whole number of steps of {told.dt} s is "
            "what can be run"
        )
    return Delay(np.round(steps).astype(np.int64))


def read_port(kind: str, fields: Fields, told: Told) -> Node:
    """Input, Output."""
    sizes = np.atleast_1d(numbers(fields, "shape"))
    if sizes.ndim != 1 or sizes.size > MAX_AXES:
        raise NetworkError(f"shape is an array {list(sizes.shape)}; [axes], up to {MAX_AXES}")
    if (sizes != np.round(sizes)).any() or not ((sizes >= 1) & (sizes < LARGEST)).all():
        raise NetworkError(f"shape {sizes.tolist()} is not of whole numbers from 1 to 2^31")
    shape = tuple(int(n) for n in sizes)
    return Input(shape) if kind == "Input" else Output(shape)


def read_neuron(kind: str, fields: Fields, told: Told) -> Node:
    """I, LI, IF, LIF, CubaLI, CubaLIF."""
    n = {name: numbers(fields, name) for name in fields}
    shape = tuple((n["v_threshold"] if "v_threshold" in n else n["r"]).shape)
    for name, values in n.items():
        if values.shape not in ((), shape):
            raise NetworkError(
                f"field {name} has shape {list(values.shape)}; [] or {list(shape)} is meant"
            )
    spiking: dict[str, Any] = {}
    if "v_threshold" in n:
        v_reset = n.get("v_reset", frozen(0.0))
        if told.reset == "subtract" and v_reset.any():
            raise NetworkError(f"reset by subtraction with v_reset {brief(v_reset)}, not 0")
        spiking = {"threshold": n["v_threshold"], "v_reset": v_reset, "reset": told.reset}
    if kind in ("I", "IF"):
        return Neuron(shape, frozen(1.0), gain_v=step_gain(n["r"], told), **spiking)
    keep, leak = per_step(n["tau_mem" if "tau_mem" in n else "tau"], told, kind)
    current: dict[str, Any] = {}
    if "tau_syn" in n:
        hold, forget = per_step(n["tau_syn"], told, kind)
        w_in = n.get("w_in", frozen(1.0))
        current = {"decay_u": hold, "gain_u": frozen(w_in * forget)}
    return Neuron(
        shape,
        keep,
        gain_v=frozen(n["r"] * leak),
        bias=frozen(n["v_leak"] * leak),
        **current,
        **spiking,
    )


def per_step(tau: Array, told: Told, kind: str) -> tuple[Array, Array]:
    """(what is kept of a state in one step, one minus that)."""
    if told.dt is None:
        raise NetworkError(
            f"{kind} has time constants in seconds, and nothing says how long a step is; "
            "say --dt SECONDS"
        )
    if not (tau > 0).all():
        raise NetworkError(f"time constant {brief(tau)} s is not positive")
    if told.integrator == "exponential":
        return frozen(np.exp(-told.dt / tau)), frozen(-np.expm1(-told.dt / tau))
    return frozen(1 - told.dt / tau), frozen(told.dt / tau)


def step_gain(r: Array, told: Told) -> Array:
    """What an integrator adds per unit of input in one step: SEMANTICS, 'NIR'."""
    if (r == 1).all() and told.if_r != "ode":
        return frozen(1.0)
    if told.dt is not None and told.if_r != "step":
        gain = r * told.dt
        if (np.abs(gain - 1) <= CLOSE).all():
            return frozen(1.0)
        if told.if_r == "ode":
            return frozen(gain)
    if told.if_r == "step":
        return frozen(r)
    raise NetworkError(
        f"IF with r = {brief(r)}: it may mean v += r x or v += r x dt; say --if-r step or "
        "--if-r ode" + (" with --dt SECONDS" if told.dt is None else "")
    )


def read_threshold(kind: str, fields: Fields, told: Told) -> Node:
    """Threshold: a spike wherever the input is over it, no state."""
    threshold = numbers(fields, "threshold")
    return Neuron(tuple(threshold.shape), frozen(0.0), threshold, memoryless=True)


def read_scale(kind: str, fields: Fields, told: Told) -> Node:
    """Scale."""
    return Scale(numbers(fields, "scale"))


def numbers(fields: Fields, name: str) -> Array:
    """A field as float64."""
    array = np.asarray(fields[name])
    if array.dtype.kind not in "biuf":
        raise NetworkError(f"field {name} holds {array.dtype}, not numbers")
    return frozen(array)


def whole(fields: Fields, name: str, count: int) -> Shape:
    """A field as `count` whole numbers; one number stands for all."""
    array = np.atleast_1d(numbers(fields, name))
    if array.size not in (1, count) or not (
        np.array_equal(array, np.round(array)) and (np.abs(array) < LARGEST).all()
    ):
        raise NetworkError(
            f"field {name} is {brief(array)}; {count} whole number{'s' * (count > 1)} below 2^31 "
            f"{'are' if count > 1 else 'is'} meant"
        )
    return tuple(int(v) for v in np.broadcast_to(array.ravel(), count))


Reader = Callable[[str, Fields, Told], Node]
CONV = {"weight", "stride", "padding", "dilation", "groups", "bias"}
POOL = {"kernel_size", "stride", "padding"}
LEAKY = {"r", "v_leak"}
READERS: dict[str, tuple[Reader, set[str], set[str]]] = {  # type: (reader, fields, may have)
    "Input": (read_port, {"shape"}, set()),
    "Output": (read_port, {"shape"}, set()),
    "Linear": (read_linear, {"weight"}, set()),
    "Affine": (read_linear, {"weight", "bias"}, set()),
    "Scale": (read_scale, {"scale"}, set()),
    "Conv1d": (read_conv, CONV, {"input_shape"}),
    "Conv2d": (read_conv, CONV, {"input_shape"}),
    "SumPool2d": (read_pool, POOL, set()),
    "AvgPool2d": (read_pool, POOL, set()),
    "Flatten": (read_flatten, {"start_dim", "end_dim"}, {"input_type"}),
    "Delay": (read_delay, {"delay"}, set()),
    "Threshold": (read_threshold, {"threshold"}, set()),
    "I": (read_neuron, {"r"}, set()),
    "LI": (read_neuron, {"tau"} | LEAKY, set()),
    "IF": (read_neuron, {"r", "v_threshold"}, {"v_reset"}),
    "LIF": (read_neuron, {"tau", "v_threshold"} | LEAKY, {"v_reset"}),
    "CubaLI": (read_neuron, {"tau_syn", "tau_mem"} | LEAKY, {"w_in"}),
    "CubaLIF": (read_neuron, {"tau_syn", "tau_mem", "v_threshold"} | LEAKY, {"v_reset", "w_in"}),
}
