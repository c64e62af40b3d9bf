"""A picture of how a figure grows: one panel for each thing that was varied."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..core.files import written_whole
from .figure import Figure

NAME = re.compile(r"growth/(?P<what>\w+)=(?P<value>[\d.]+)$")


def plot(figures: Sequence[Figure], path: Path) -> None:
    """figures named .../growth/WHAT=VALUE: their medians and ranges, as an SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    panels: dict[str, list[tuple[float, Figure]]] = {}
    for figure in figures:
        found = NAME.search(figure.name)
        assert found, figure.name
        panels.setdefault(found["what"], []).append((float(found["value"]), figure))
    picture, axes = pyplot.subplots(1, len(panels), figsize=(3.2 * len(panels), 2.8), sharey=True)
    for ax, (what, points) in zip(axes, panels.items(), strict=True):
        values = [value for value, _ in points]
        ax.plot(values, [f.value for _, f in points], marker="o", markersize=3)
        ax.fill_between(values, [f.low for _, f in points], [f.high for _, f in points], alpha=0.2)
        ax.set_xlabel(what)
        if min(values) > 0:
            ax.set_xscale("log", base=2)
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel(figures[0].unit)
    picture.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        picture.savefig(part, format="svg", metadata={"Date": None})
    pyplot.close(picture)
