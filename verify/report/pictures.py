"""The report's pictures, as SVG text: rates per layer, a raster, where divergence begins."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.arrays import Numbers
from ...core.errors import BackendUnavailable
from ..run import Verification

MAX_NEURONS = 100  # rows of the raster


def pictures(told: Mapping[str, Any], result: Verification) -> dict[str, str]:
    """Title -> SVG. BackendUnavailable if matplotlib is not there."""
    ready()
    found = {"Spike rate of each layer": rates(told)}
    raster_picture = raster(result)
    if raster_picture:
        found["Spikes of one sample"] = raster_picture
    found["Where divergence begins"] = divergence(told)
    return found


def ready() -> None:
    """BackendUnavailable if matplotlib is not there."""
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            "pictures need matplotlib: pip install 'spikeport[report]'"
        ) from error
    matplotlib.use("svg")


def quantisation_cost(cost: Mapping[str, Any]) -> str:
    """Flipped spikes of each layer, by itself and end to end."""
    ready()
    import matplotlib.pyplot as plt

    names = [layer["name"] for layer in cost["layers"]]
    figure, grid = plt.subplots(1, 2, figsize=(max(6, 2 + 1.2 * len(names)), 3))
    for axes, key, title in (
        (grid[0], "flipped", "flipped spikes, %"),
        (grid[1], "smape", "SMAPE of rates, %"),
    ):
        for i, side in enumerate(("single", "cumulative")):
            values = [100 * layer[side][key] for layer in cost["layers"]]
            axes.bar(np.arange(len(names)) + 0.4 * i, values, 0.4, label=side)
        axes.set_xticks(np.arange(len(names)) + 0.2, names, fontsize=7)
        axes.set_title(title, fontsize=9)
        axes.legend(fontsize=7)
    figure.tight_layout()
    return svg(figure)


def svg(figure: Any) -> str:
    """A figure as SVG without the XML head."""
    held = io.StringIO()
    figure.savefig(held, format="svg", bbox_inches="tight")
    text = held.getvalue()
    import matplotlib.pyplot as plt

    plt.close(figure)
    return text[text.index("<svg") :]


def rates(told: Mapping[str, Any]) -> str:
    """Bars: baseline and engines side by side, layer by layer."""
    import matplotlib.pyplot as plt

    engines = told["engines"]
    layers = list(engines[0]["layers"])
    series = {told["baseline"]: [engines[0]["layers"][n]["baseline_rate"] for n in layers]}
    for engine in engines:
        name = engine["name"]
        label = name if name not in series else f"{name} (engine)"
        series[label] = [engine["layers"][n]["rate"] for n in layers]
    figure, axes = plt.subplots(figsize=(max(5, 1.6 * len(layers)), 3))
    width = 0.8 / len(series)
    for i, (name, values) in enumerate(series.items()):
        axes.bar(np.arange(len(layers)) + i * width, values, width, label=name)
    axes.set_xticks(np.arange(len(layers)) + 0.4 - width / 2, layers)
    axes.set_ylabel("spikes / (neuron · step)")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return svg(figure)


def raster(result: Verification) -> str:
    """First sample: the baseline's spikes, and in red where an engine differs."""
    import matplotlib.pyplot as plt

    layers = list(result.sample)
    if not layers:
        return ""
    figure, grid = plt.subplots(
        1, len(layers), figsize=(max(4, 2.2 * len(layers)), 3), squeeze=False
    )
    for axes, name in zip(grid[0], layers, strict=True):
        expected = rows(result.sample[name])
        others = [
            rows(outcome.run.sample[name])
            for outcome in result.outcomes
            if not outcome.run.integers and name in outcome.run.sample
        ]
        chosen = worth_showing(expected, others)
        when, who = np.nonzero(expected[:, chosen])
        axes.scatter(when, who, s=5, color="black", marker="s", linewidths=0)
        for got in others:
            when, who = np.nonzero((got != expected)[:, chosen])
            axes.scatter(when, who, s=12, color="red", marker="x")
        axes.set_title(name, fontsize=8)
        axes.set_xlim(-0.5, len(expected) - 0.5)
        axes.set_xlabel("step")
    grid[0][0].set_ylabel("neuron")
    return svg(figure)


def rows(spikes: Numbers) -> Numbers:
    """Spikes of one sample, [T, neurons]."""
    return spikes.reshape(len(spikes), -1)


def worth_showing(expected: Numbers, others: Sequence[Numbers]) -> Numbers:
    """Which neurons fit into the raster: first those that differ anywhere, then, evenly spread
    over the layer, those that fire at all."""
    differs = np.zeros(expected.shape[1], bool)
    for got in others:
        differs |= (got != expected).any(axis=0)
    first = np.flatnonzero(differs)[:MAX_NEURONS]
    fires = np.flatnonzero(expected.any(axis=0) & ~differs)
    left = min(MAX_NEURONS - len(first), len(fires))
    spread = fires[np.linspace(0, len(fires) - 1, left).astype(int)] if left else fires[:0]
    return np.sort(np.concatenate([first, spread]))


def divergence(told: Mapping[str, Any]) -> str:
    """Share of differing spikes by layer and step, one panel an engine in real numbers."""
    import matplotlib.pyplot as plt

    engines = [e for e in told["engines"] if e["integer_bits_apart"] is None]
    engines = engines or told["engines"]
    layers = list(engines[0]["layers"])
    figure, grid = plt.subplots(
        1,
        len(engines),
        figsize=(max(4, 2.6 * len(engines)), 0.6 + 0.4 * len(layers)),
        squeeze=False,
    )
    for axes, engine in zip(grid[0], engines, strict=True):
        counts = np.array([engine["layers"][n]["differing_by_step"] for n in layers], float)
        axes.imshow(counts, aspect="auto", cmap="Reds", vmin=0, vmax=max(1.0, counts.max()))
        for (row, column), count in np.ndenumerate(counts):
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", fontsize=6)
        axes.set_yticks(range(len(layers)), layers, fontsize=7)
        axes.set_title(f"{engine['name']}: differing spikes", fontsize=8)
        axes.set_xlabel("step")
    figure.tight_layout()
    return svg(figure)
