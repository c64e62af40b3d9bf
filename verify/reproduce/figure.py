"""An experiment's figure, as SVG text: values along a key of the grid, or step by step."""

import io
from collections.abc import Sequence
from typing import Any

from ..report.pictures import ready
from ..statistics import mean_interval
from .claims import Group
from .experiment import Figure
from .page import short

STEP = "step"
Point = tuple[float, float, float, float]  # x, mean, low, high


def figure(about: Figure, groups: Sequence[Group]) -> str:
    """SVG. BackendUnavailable if matplotlib is not there."""
    ready()
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context({"svg.hashsalt": "spikeport", "font.size": 9}):
        canvas = Canvas(figsize=(4.2 * len(about.values), 3.4), layout="constrained")
        for place, value in enumerate(about.values, 1):
            axes = canvas.add_subplot(1, len(about.values), place)
            draw(axes, about, value, groups)
        text = io.StringIO()
        canvas.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def draw(axes: Any, about: Figure, value: str, groups: Sequence[Group]) -> None:
    """One panel: a line for all groups that differ in `along` only, or a mark for each group."""
    if not about.along:
        return marks(axes, value, groups)
    for label, points in sorted(lines(about, value, groups).items()):
        xs, means, lows, highs = zip(*sorted(points), strict=True)
        errors = [
            [m - low for m, low in zip(means, lows, strict=True)],
            [high - m for m, high in zip(means, highs, strict=True)],
        ]
        axes.errorbar(xs, means, errors, marker="o", markersize=3, capsize=2, label=label or None)
    axes.set_xlabel(short(about.along))
    axes.set_ylabel(value.rstrip("/"))
    if about.log:
        smallest = min(p[0] for ps in lines(about, value, groups).values() for p in ps if p[0])
        axes.set_xscale("symlog", linthresh=smallest)
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(fontsize=7)


def marks(axes: Any, value: str, groups: Sequence[Group]) -> None:
    """Every group by its name."""
    points = [point(x, group, value) for x, group in enumerate(groups)]
    errors = [[p[1] - p[2] for p in points], [p[3] - p[1] for p in points]]
    axes.errorbar([p[0] for p in points], [p[1] for p in points], errors, fmt="o", capsize=3)
    names = [", ".join(map(str, group.keys.values())) for group in groups]
    axes.set_xticks(range(len(groups)), names)
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_ylabel(value)


def lines(about: Figure, value: str, groups: Sequence[Group]) -> dict[str, list[Point]]:
    """label -> points."""
    found: dict[str, list[Point]] = {}
    for group in groups:
        rest = {k: v for k, v in group.keys.items() if k != about.along}
        label = ", ".join(f"{v}" if k == "case" else f"{short(k)} {v}" for k, v in rest.items())
        if about.along == STEP:
            names = [n for n in group.values if n.startswith(value)]
            points = [point(float(n.removeprefix(value)), group, n) for n in names]
        else:
            measured = value in group.values and about.along in group.keys
            points = [point(float(group.keys[about.along]), group, value)] if measured else []
        if points:
            found.setdefault(label, []).extend(points)
    return found


def point(x: float, group: Group, name: str) -> Point:
    """One mean with its interval; that of a single run has none."""
    middle, low, high = mean_interval(group.of(name))
    if low == float("-inf"):
        low = high = middle
    return x, middle, low, high
