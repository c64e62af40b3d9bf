"""Our nodes -> NIR's node types: field by field; the formulas are those of `core.nir_read`."""

from typing import Any

import numpy as np

from .arrays import Array, Shape, frozen
from .errors import NetworkError, UnsupportedNode
from .metadata import Decays, NodeMetadata, Rows
from .nir_read import brief
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
    Pool,
    Scale,
    SumPool2d,
)


def fields_of(node: Node, shape: Shape, dt: float | None) -> tuple[str, dict[str, Any]]:
    """NIR's type and fields of a node whose input has `shape`; UnsupportedNode if NIR has
    none. dt in seconds."""
    match node:
        case Input() | Output():
            return node.kind, {"shape": np.array(node.shape, np.int64)}
        case Linear():
            bias = {} if node.bias is None else {"bias": node.bias}
            return node.kind, {"weight": node.weight, **bias}
        case Conv():
            return node.kind, conv_fields(node, shape)
        case Pool() if isinstance(node, SumPool2d | AvgPool2d):
            names = ("kernel", "stride", "padding")
            kernel, stride, padding = (np.array(getattr(node, n), np.int64) for n in names)
            return node.kind, {"kernel_size": kernel, "stride": stride, "padding": padding}
        case Flatten():
            return "Flatten", {
                "start_dim": node.start_dim,
                "end_dim": node.end_dim,
                "input_type": np.array(shape, np.int64),
            }
        case Scale():
            return "Scale", {"scale": node.scale}
        case Delay():
            seconds = np.asarray(node.steps) * known(dt, "Delay")
            return "Delay", {"delay": spread(seconds, shape)}
        case Neuron():
            return node.kind, neuron_fields(node, dt)
        case _:
            raise UnsupportedNode(
                f"{node.kind} has no counterpart in NIR; lower the network before writing it"
            )


def conv_fields(node: Conv, shape: Shape) -> dict[str, Any]:
    """Conv1d counts in numbers, Conv2d in pairs."""
    one = node.weight.ndim == 3
    sizes = {n: tuple(getattr(node, n)) for n in ("stride", "padding", "dilation")}
    bias = np.zeros(len(node.weight)) if node.bias is None else node.bias
    return {
        "input_shape": int(shape[1]) if one else tuple(int(n) for n in shape[1:]),
        "weight": node.weight,
        **({k: v[0] for k, v in sizes.items()} if one else sizes),
        "groups": node.groups,
        "bias": bias,
    }


def neuron_fields(node: Neuron, dt: float | None) -> dict[str, Any]:
    """Time constants, gains and leak of a neuron, each of the layer's shape, as NIR wants."""
    kind = node.kind
    fields: dict[str, Array] = {}
    if kind == "Threshold":
        assert node.threshold is not None
        return {"threshold": spread(node.threshold, node.shape)}
    if kind in ("I", "IF"):
        if node.bias.any():
            raise UnsupportedNode(
                f"{kind} with a membrane bias: NIR's {kind} has no leak to carry it; move the "
                "bias into the layer before"
            )
        fields["r"] = node.gain_v if dt is None else frozen(node.gain_v / dt)
    else:
        leak = 1 - node.decay_v
        if not (leak > 0).all():
            raise UnsupportedNode(
                f"{kind} with a membrane decay of {brief(node.decay_v)}: NIR's {kind} needs "
                "decays below 1 in every neuron"
            )
        fields["tau" if node.decay_u is None else "tau_mem"] = frozen(known(dt, kind) / leak)
        fields["r"] = frozen(node.gain_v / leak)
        fields["v_leak"] = frozen(node.bias / leak)
    if node.decay_u is not None:
        forget = 1 - node.decay_u
        if not (forget > 0).all():
            raise UnsupportedNode(f"{kind} with a current decay of {brief(node.decay_u)}, not < 1")
        fields["tau_syn"] = frozen(known(dt, kind) / forget)
        fields["w_in"] = frozen(node.gain_u / forget)
    if node.threshold is not None:
        fields["v_threshold"], fields["v_reset"] = node.threshold, node.v_reset
    return {name: spread(values, node.shape) for name, values in fields.items()}


def spread(values: Array, shape: Shape) -> Array:
    """One number for every neuron."""
    return np.ascontiguousarray(np.broadcast_to(values, shape))


def known(dt: float | None, kind: str) -> float:
    """dt, which a node with time constants cannot be written without."""
    if dt is None:
        raise NetworkError(f"{kind} is written with time constants in seconds, and dt is unknown")
    return dt


def metadata_of(node: Node) -> NodeMetadata:
    """What NIR cannot say of the node."""
    if not isinstance(node, Neuron):
        return NodeMetadata()
    if node.memoryless:
        return NodeMetadata(compare=None if node.compare == ">" else node.compare)

    def listed(values: Array) -> float | list[Any]:
        told: float | list[Any] = values.tolist()
        return told

    decays = Decays(
        v=listed(node.decay_v),
        u=None if node.decay_u is None else listed(node.decay_u),
        gain_u=listed(node.gain_u),
        gain_v=listed(node.gain_v),
        bias=listed(node.bias),
    )
    rows = None
    if node.schedule is not None:
        rows = Rows(**{name: values.tolist() for name, values in node.schedule.given().items()})
    if not node.spiking:
        return NodeMetadata(decays=decays, schedule=rows)
    return NodeMetadata(
        reset=node.reset,
        reset_amount=None if node.reset_amount is None else listed(node.reset_amount),
        compare=node.compare,
        refractory=node.refractory,
        decays=decays,
        schedule=rows,
    )
