"""The analyses' pictures, from their figures: step by step, extension, rates, landscape, energy."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...core.files import written_whole
from ..report.pictures import ready

Told = Mapping[str, Any]


def write(out: Path, told: Told) -> list[Path]:
    """A picture for each analysis in `told`, as .svg and .png. BackendUnavailable if matplotlib is
    not there."""
    ready()
    return [path for name in told if name in DRAW for path in saved(out, name, DRAW[name](told))]


def saved(out: Path, name: str, figure: Any) -> list[Path]:
    """One figure in both formats."""
    import matplotlib.pyplot as plt

    paths = [out / f"{name}.{kind}" for kind in ("svg", "png")]
    for path in paths:
        with written_whole(path) as part:
            figure.savefig(part, format=path.suffix[1:], bbox_inches="tight", dpi=150)
    plt.close(figure)
    return paths


def line(xlabel: str, ylabel: str) -> tuple[Any, Any]:
    """A figure with one pair of axes."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 3))
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    return figure, axes


def trained_mark(axes: Any, steps: int) -> None:
    """Where training ended."""
    axes.axvline(steps, color="grey", lw=0.8, ls="--", label="steps of training")


def per_step(told: Told) -> Any:
    """Two lines over the steps."""
    about = told["per-step"]
    figure, axes = line("step", "accuracy, %")
    steps = np.arange(1, about["steps"] + 1)
    for key, label in (("so_far", "mean output so far"), ("own", "this step's output")):
        shown = label if key == "own" or about["readout"] == "mean_t" else "outputs so far"
        axes.plot(steps, 100 * np.array(about[key]), marker="o", ms=3, label=shown)
    trained_mark(axes, about["trained_steps"])
    axes.legend(fontsize=7)
    return figure


def extension(told: Told) -> Any:
    """Accuracy over the number of steps."""
    about = told["extension"]
    figure, axes = line("steps run", "accuracy, %")
    axes.plot(about["steps"], 100 * np.array(about["accuracy"]), marker="o", ms=3)
    axes.set_xscale("log", base=2)
    axes.set_xticks(about["steps"], [str(n) for n in about["steps"]])
    trained_mark(axes, about["trained_steps"])
    axes.legend(fontsize=7)
    return figure


def rates(told: Told) -> Any:
    """Bars, a layer each, and the pooled rate."""
    about = told["rates"]
    figure, axes = line("", "spikes / (neuron · step)")
    names = list(about["layers"])
    axes.bar(names, [about["layers"][n]["rate"] for n in names])
    axes.axhline(about["pooled"], color="black", lw=0.8, ls="--", label="all neurons pooled")
    axes.tick_params(axis="x", labelrotation=30)
    axes.legend(fontsize=7)
    return figure


def landscape(told: Told) -> Any:
    """The loss along a line, and its contours over a plane."""
    import matplotlib.pyplot as plt

    about = told["landscape"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    left.plot(about["line"]["at"], about["line"]["loss"], marker="o", ms=3)
    left.set_xlabel("step along a direction")
    left.set_ylabel("loss")
    at = about["plane"]["at"]
    shown = right.contourf(at, at, np.array(about["plane"]["loss"]).T, levels=15)
    right.set_xlabel("first direction")
    right.set_ylabel("second direction")
    figure.colorbar(shown, ax=right)
    figure.tight_layout()
    return figure


def energy(told: Told) -> Any:
    """Accuracy over energy, a point for each step, a line for each model of energy."""
    points = told["energy"]["points"]
    figure, axes = line("nJ a sample", "accuracy, %")
    for i, first in enumerate(points[0]["energy"]):
        x = [p["energy"][i]["picojoules"] / 1000 for p in points]
        y = [100 * p["accuracy"] for p in points]
        axes.plot(x, y, marker="o", ms=3, label=first["model"])
        for p, at in zip(points, zip(x, y, strict=True), strict=True):
            label = f"T = {p['steps']}"
            axes.annotate(label, at, (3, -8), textcoords="offset points", fontsize=6)
    axes.legend(fontsize=7)
    return figure


DRAW: dict[str, Callable[[Told], Any]] = {
    "per-step": per_step,
    "extension": extension,
    "rates": rates,
    "landscape": landscape,
    "energy": energy,
}
