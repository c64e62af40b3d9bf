"""A picture of a benchmark's figures: a panel for each thing compared, and for each growth.

Names say what belongs together: `BENCH/GROUP/WHAT`, of one unit, are the rows of one panel;
`BENCH/GROUP/WHAT=VALUE` are the points of one line.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.files import written_whole
from .figure import Figure

VARIED = re.compile(r"^(?P<group>.*?)/?(?P<what>[\w ]+)=(?P<value>[\d.]+)(?P<rest>(/[^=]*)?)$")
Points = list[tuple[float, Figure]]


def draw(figures: Sequence[Figure], path: Path) -> None:
    """All of them, as an SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    lines, rows = growths(figures), comparisons(figures)
    total = len(lines) + len(rows)
    if not total:
        return
    across = min(total, 3)
    down = -(-total // across)
    tall = 1.0 + max([2.0, *(0.32 * len(row) for row in rows.values())])
    picture, grid = pyplot.subplots(
        down, across, figsize=(5.2 * across, tall * down), squeeze=False
    )
    places = iter(grid.flat)
    for (group, what, unit), found in lines.items():
        line_panel(next(places), f"{group}, {unit}", what, found)
    for (group, unit), row in rows.items():
        row_panel(next(places), group, unit, row)
    for unused in places:
        unused.set_axis_off()
    picture.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        picture.savefig(part, format="svg", metadata={"Date": None})
    pyplot.close(picture)


def growths(figures: Sequence[Figure]) -> dict[tuple[str, str, str], dict[str, Points]]:
    """(bench and what is measured, what varies, unit) -> line -> points; two values at least."""
    found: dict[tuple[str, str, str], dict[str, Points]] = {}
    for figure in figures:
        if told := VARIED.match(figure.name):
            bench, _, line = told["group"].partition("/")
            panel = (bench + told["rest"], told["what"].strip(), figure.unit)
            points = found.setdefault(panel, {}).setdefault(line or "all", [])
            points.append((float(told["value"]), figure))
    return {
        panel: {line: sorted(points, key=lambda p: p[0]) for line, points in of.items()}
        for panel, of in found.items()
        if any(len({value for value, _ in points}) > 1 for points in of.values())
    }


def comparisons(figures: Sequence[Figure]) -> dict[tuple[str, str], list[Figure]]:
    """(group, unit) -> the figures side by side."""
    drawn = {id(f) for of in growths(figures).values() for line in of.values() for _, f in line}
    found: dict[tuple[str, str], list[Figure]] = {}
    for figure in figures:
        if id(figure) not in drawn:
            found.setdefault((figure.name.rpartition("/")[0], figure.unit), []).append(figure)
    return found


def line_panel(ax: Any, title: str, what: str, lines: dict[str, Points]) -> None:
    """How a figure grows; both axes from 0, so that what is linear looks so."""
    for name, points in lines.items():
        values, middle = [v for v, _ in points], [f.value for _, f in points]
        (line,) = ax.plot(values, middle, marker="o", markersize=3, label=name)
        low = [f.value if f.low is None else f.low for _, f in points]
        high = [f.value if f.high is None else f.high for _, f in points]
        ax.fill_between(values, low, high, alpha=0.2, color=line.get_color())
    ax.set_title(title, fontsize=9)
    ax.set_xlabel(what)
    ax.set_xlim(left=0)
    ax.set_ylim(0, 1.1 * max(f.high or f.value for points in lines.values() for _, f in points))
    ax.grid(alpha=0.3)
    ax.legend(fontsize=7)


def row_panel(ax: Any, group: str, unit: str, row: Sequence[Figure]) -> None:
    """Figures side by side with their ranges; a line where one has a bar to reach."""
    names = [figure.name.rpartition("/")[2] for figure in row]
    places = list(range(len(row)))[::-1]
    for place, figure in zip(places, row, strict=True):
        colour = {None: "tab:grey", True: "tab:green", False: "tab:red"}[figure.ok]
        ax.barh(place, figure.value, color=colour, alpha=0.7)
        if figure.low is not None and figure.high is not None:
            ax.plot([figure.low, figure.high], [place, place], color="black", linewidth=1)
        if figure.bar is not None:
            ax.plot([figure.bar, figure.bar], [place - 0.45, place + 0.45], color="black", ls=":")
    ax.set_yticks(places, names, fontsize=7)
    ax.set_title(group, fontsize=9)
    ax.set_xlabel(unit)
    ax.grid(alpha=0.3, axis="x")
