"""One case on one subject, in a word and with the reason: spikes with ==, outputs to rounding."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...backends.protocol import Agreement
from ...core.arrays import Numbers
from ...core.network import Network
from ...core.recording import Recording
from ...core.schedule import compile
from ..compare import COARSE, LOGIT_TOLERANCE
from ..roots import find_roots
from ..verdict import RATE_TOLERANCE

Word = Literal["exact", "within tolerance", "refuses", "WRONG"]
STATES = 1e-9  # absolute, of recorded membranes and currents in real numbers


@dataclass(frozen=True)
class Verdict:
    """why: of anything but 'exact'. layer, step: where it is first wrong."""

    word: Word
    why: str = ""
    layer: str | None = None
    step: int | None = None

    @property
    def bad(self) -> bool:
        """Whether it ran and was silently wrong."""
        return self.word == "WRONG"

    def facts(self) -> dict[str, Any]:
        """JSON-ready."""
        told: dict[str, Any] = {"verdict": self.word, "why": self.why}
        return told if self.layer is None else {**told, "layer": self.layer, "step": self.step}


@dataclass(frozen=True)
class Promise:
    """What a subject is held to. integers: its numbers are the chip's, so its states are held to
    the bit, but for those that the host holds in real numbers."""

    agreement: Agreement = "spikes"
    epsilon: float = float(np.finfo(np.float64).eps)
    integers: bool = False


def judge(
    network: Network,
    inputs: Mapping[str, Numbers],
    wanted: Recording,
    got: Recording,
    promise: Promise,
) -> Verdict:
    """What the subject gave, held against what the definition gives. Whatever populations it
    hands out are compared, and all outputs."""
    for group, there, here in (
        ("spikes", wanted.spikes, got.spikes),
        ("outputs", wanted.outputs, got.outputs),
    ):
        for name, values in here.items():
            if name in there and values.shape != there[name].shape:
                return Verdict(
                    "WRONG",
                    f"{group} of {name!r} have shape {list(values.shape)}, not "
                    f"{list(there[name].shape)}",
                    name,
                    0,
                )
    missing = sorted(set(wanted.outputs) - set(got.outputs))
    if missing:
        return Verdict("WRONG", f"gives nothing for output {missing[0]!r}", missing[0], 0)
    flips = {n: s != got.spikes[n] for n, s in wanted.spikes.items() if n in got.spikes}
    count = sum(int(f.sum()) for f in flips.values())
    if promise.agreement == "rates":
        return by_rates(wanted, got, count)
    if not count:
        return without_flips(network, wanted, got, promise)
    layer, step = earliest(network, flips)
    if promise.agreement == "spikes" and not promise.integers and len(flips) == len(wanted.spikes):
        roots = find_roots(network, inputs, wanted.spikes, got.spikes, promise.epsilon)
        if not roots.outside:
            return Verdict(
                "within tolerance",
                f"{count} spikes differ; rounding explains each root",
                layer,
                step,
            )
    return Verdict(
        "WRONG", f"{count} spikes differ, first in {layer!r} at step {step}", layer, step
    )


def earliest(network: Network, flips: Mapping[str, Numbers]) -> tuple[str, int]:
    """The first differing layer and step: by step, then in the network's order."""
    order = [n for n in compile(network).order if n in flips] or list(flips)
    found = [
        (int(np.argwhere(flips[n])[0][0]), i, n) for i, n in enumerate(order) if flips[n].any()
    ]
    step, _, layer = min(found)
    return layer, step


def without_flips(network: Network, wanted: Recording, got: Recording, promise: Promise) -> Verdict:
    """Every spike agrees: then outputs and states must, too."""
    tolerance = max(LOGIT_TOLERANCE, COARSE * promise.epsilon)
    apart = {
        name: ~(np.abs(values - got.outputs[name]) <= tolerance * np.maximum(1, np.abs(values)))
        for name, values in wanted.outputs.items()
    }
    if any(a.any() for a in apart.values()):
        layer, step = earliest(network, apart)
        most = float(np.abs(wanted.outputs[layer] - got.outputs[layer]).max())
        return Verdict(
            "WRONG", f"output {layer!r} is up to {most:.3g} off, first at step {step}", layer, step
        )
    for group in ("v", "u"):
        for name, values in getattr(got, group).items():
            there = getattr(wanted, group).get(name)
            if there is None:
                continue
            # beside the chip's integers stands the host's part, in real numbers like any other
            whole = promise.integers and there.dtype.kind in "iu"
            limit = 0.0 if whole else max(STATES, COARSE * promise.epsilon)
            off = ~(
                np.abs(np.asarray(values, np.float64) - there)
                <= limit * np.maximum(1, np.abs(there))
            )
            if off.any():
                step = int(np.argwhere(off)[0][0])
                return Verdict(
                    "WRONG", f"{group} of {name!r} differs, first at step {step}", name, step
                )
    return Verdict("exact")


def by_rates(wanted: Recording, got: Recording, count: int) -> Verdict:
    """For subjects that promise no more than the rate of every population."""
    worst = 0.0
    for name, spikes in wanted.spikes.items():
        if name not in got.spikes:
            continue
        apart = abs(float(spikes.mean()) - float(got.spikes[name].mean()))
        if apart > RATE_TOLERANCE:
            return Verdict(
                "WRONG", f"the rate of {name!r} is {apart:.3f} off, over {RATE_TOLERANCE}", name
            )
        worst = max(worst, apart)
    if not count:
        return Verdict("exact")
    return Verdict("within tolerance", f"{count} spikes differ; rates at most {worst:.3f} apart")
