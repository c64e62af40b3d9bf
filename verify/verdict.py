"""Does an engine keep its level of agreement? One rule a level, with the reason in words.

spikes    every differing spike descends from a root flip that rounding can explain
          (verify.roots); with none differing, logits agree to 1e-9
bit_exact the engine's integers equal core.interpreter's on the same network, bit for bit; against
          the real network an integer engine is judged by paired accuracy
rates     spike rates within a tolerance, for engines that promise no more
"""

from collections.abc import Iterator

from ..backends.protocol import Agreement
from .compare import Tally
from .roots import Roots
from .statistics import paired_difference

RATE_TOLERANCE = 0.05  # of level 'rates': |difference| in spikes a neuron and step


def complaints(
    agreement: Agreement,
    integers: bool,
    tally: Tally,
    roots: Roots,
    bits_apart: int,
    max_drop: float,
) -> Iterator[str]:
    """Why the engine does not meet its level; nothing if it does.

    integers: it runs a quantised network. bits_apart: integer spikes that differ from the
    interpreter's. max_drop: points of accuracy that quantisation may cost.
    """
    if integers:
        yield from integer_complaints(tally, bits_apart, max_drop)
        return
    if agreement == "bit_exact" and tally.differing:
        yield f"{tally.differing} spikes differ, and this engine promises none"
    if agreement == "spikes" and roots.outside:
        yield f"{roots.outside} of {roots.roots} root flips are beyond rounding: {roots.worst}"
    if agreement in ("bit_exact", "spikes") and tally.logits_wrong:
        yield (
            f"the logits of {tally.logits_wrong} samples differ by up to "
            f"{tally.logits_apart:.3g} although every spike agrees"
        )
    if agreement == "rates":
        for name, layer in tally.layers.items():
            apart = abs(layer.rate - layer.baseline_rate)
            if apart > RATE_TOLERANCE:
                yield f"the spike rate of {name!r} is {apart:.3f} off, over {RATE_TOLERANCE}"


def integer_complaints(tally: Tally, bits_apart: int, max_drop: float) -> Iterator[str]:
    """Of an engine that runs the chip's integers."""
    if bits_apart:
        yield f"{bits_apart} spikes differ from the integer interpreter on the same network"
    if tally.correct:
        change, low, high = paired_difference(tally.baseline_correct, tally.correct)
        if -change * 100 > max_drop:
            yield (
                f"accuracy fell by {-change * 100:.2f} points ({low * 100:+.2f} to "
                f"{high * 100:+.2f}), over the {max_drop:g} that are allowed"
            )
