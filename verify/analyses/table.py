"""The analyses in the terminal: one table each."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

Told = Mapping[str, Any]


def show(told: Told, console: Console) -> None:
    """All of them, in the order asked for."""
    for name, rows in ROWS.items():
        if name in told:
            (title, *heads), *cells = rows(told[name])
            table = Table(title=title, title_justify="left")
            for head in heads:
                table.add_column(head, justify="left" if head == "layer" else "right")
            for row in cells:
                table.add_row(*row)
            console.print(table)


def percent(accuracy: float) -> str:
    """Of 0 to 1."""
    return f"{100 * accuracy:.2f}"


def spread(about: Told, key: str) -> str:
    """A variance, or why there is none."""
    found = about[key]
    return "(needs 2 steps beyond training)" if found is None else f"{found:.3f}"


def per_step(about: Told) -> Iterator[list[str]]:
    """A row a step, then the variances."""
    title = f"accuracy step by step, {about['samples']} samples, trained for "
    yield [f"{title}{about['trained_steps']} steps", "step", "so far, %", "this step alone, %"]
    for t, (so_far, own) in enumerate(zip(about["so_far"], about["own"], strict=True), 1):
        yield [str(t), percent(so_far), percent(own)]
    keys = ("variance_so_far", "variance_own")
    yield ["variance beyond training", *(spread(about, key) for key in keys)]


def extension(about: Told) -> Iterator[list[str]]:
    """A row a length."""
    yield [f"accuracy at other lengths, {about['samples']} samples", "steps", "accuracy, %"]
    for steps, accuracy in zip(about["steps"], about["accuracy"], strict=True):
        mark = " (trained)" if steps == about["trained_steps"] else ""
        yield [f"{steps}{mark}", percent(accuracy)]
    yield ["variance beyond training", spread(about, "variance")]


def rates(about: Told) -> Iterator[list[str]]:
    """A row a layer."""
    title = f"spikes, {about['samples']} samples of {about['steps']} steps, "
    yield [
        f"{title}accuracy {percent(about['accuracy'])} %",
        "layer",
        "neurons",
        "rate",
        "spikes a sample",
    ]
    for name, layer in about["layers"].items():
        yield [name, f"{layer['neurons']:,}", f"{layer['rate']:.4f}", f"{layer['spikes']:,.1f}"]
    yield ["all, pooled", "", f"{about['pooled']:.4f}", ""]
    yield ["mean of the layers", "", f"{about['mean_of_layers']:.4f}", ""]


def landscape(about: Told) -> Iterator[list[str]]:
    """The line, then how sharp it is."""
    yield [f"loss around the weights, {about['samples']} samples", "step", "loss"]
    for at, loss in zip(about["line"]["at"], about["line"]["loss"], strict=True):
        yield [f"{at:+.2f}", f"{loss:.4f}"]
    sharp = about["sharpness"]
    where = f"at radius {sharp['radius']:g}, {sharp['directions']} directions"
    yield [f"mean rise {where}", f"{sharp['mean_rise']:.4f}"]
    yield [f"most rise {where}", f"{sharp['most_rise']:.4f}"]


def energy(about: Told) -> Iterator[list[str]]:
    """A row a step."""
    models = [f"nJ, {e['model']}" for e in about["points"][0]["energy"]]
    title = f"accuracy against energy a sample, {about['samples']} samples"
    yield [title, "steps", "accuracy, %", "synaptic ops", "MACs", *models]
    for p in about["points"]:
        joules = (f"{e['picojoules'] / 1000:.2f}" for e in p["energy"])
        counts = f"{p['synaptic_operations']:,.0f}", f"{p['macs']:,.0f}"
        yield [str(p["steps"]), percent(p["accuracy"]), *counts, *joules]


ROWS: dict[str, Callable[[Told], Iterator[list[str]]]] = {
    "per-step": per_step,
    "extension": extension,
    "rates": rates,
    "landscape": landscape,
    "energy": energy,
}
