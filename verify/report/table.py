"""A verification in the terminal: a column an engine, a row a figure."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

Engine = Mapping[str, Any]


def show(told: Mapping[str, Any], console: Console) -> None:
    """Print the figures, the reasons, and the verdict."""
    console.print(figures(told))
    for engine in told["engines"]:
        for why in engine["complaints"]:
            console.print(f"[red]{engine['name']}[/]: {why}", soft_wrap=True)
        first = engine["spikes"]["first_divergence"]
        if first and engine["integer_bits_apart"] is None:
            console.print(
                f"{engine['name']} first differs at step {first['step']} in {first['layer']}, "
                f"sample {first['sample']}, neuron {list(first['neuron'])}",
                soft_wrap=True,
            )
    for doubt, names in doubted(told).items():
        text = f"[yellow]{', '.join(names)}[/], a doubt: {escape(doubt)}"
        console.print(text, soft_wrap=True)
    for refusal in told["refused"]:
        console.print(
            f"[red]{refusal['name']}[/] refuses: {escape(refusal['reason'])}", soft_wrap=True
        )
    color = "green" if told["verdict"] == "agrees" else "red"
    console.print(
        f"[bold {color}]{told['verdict']}[/] with {told['baseline']} over {told['samples']} "
        f"samples of {told['steps']} steps{left(told)}",
        soft_wrap=True,
    )


def doubted(told: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is odd of the calibration data -> the engines whose integers were chosen on them."""
    found: dict[str, list[str]] = {}
    for engine in told["engines"]:
        for doubt in engine["doubts"]:
            found.setdefault(doubt, []).append(engine["name"])
    return found


def left(told: Mapping[str, Any]) -> str:
    """Which engines are not in the verdict."""
    names = [refusal["name"] for refusal in told["refused"]]
    return f"; not run: {', '.join(names)}" if names else ""


def figures(told: Mapping[str, Any]) -> Table:
    """All engines side by side."""
    table = Table(show_lines=False, padding=(0, 1))
    table.add_column("", no_wrap=True)
    for engine in told["engines"]:
        table.add_column(engine["name"], justify="right")
    for label, figure in ROWS:
        cells = [figure(engine) for engine in told["engines"]]
        if any(cells):
            table.add_row(label, *cells)
    models = {e["model"]: None for engine in told["engines"] for e in engine["energy"]}
    for model in models:
        table.add_row(f"nJ, {model}", *(energy(engine, model) for engine in told["engines"]))
    table.add_section()
    for layer in told["engines"][0]["layers"] if told["engines"] else ():
        rates = (f"{engine['layers'][layer]['rate']:.4f}" for engine in told["engines"])
        table.add_row(f"rate, {layer}", *rates)
    return table


def mark(engine: Engine) -> str:
    """Whether it meets its level."""
    if not engine["in_verdict"]:
        return "information"
    return "[green]meets[/]" if engine["verdict"] == "meets" else "[red]fails[/]"


def percent(accuracy: Mapping[str, Any] | None) -> str:
    """Accuracy with its interval."""
    if accuracy is None:
        return ""
    low, high = accuracy["interval"]
    return f"{100 * accuracy['value']:.2f} {100 * low:.1f}..{100 * high:.1f}"


def change(accuracy: Mapping[str, Any] | None) -> str:
    """Paired change of accuracy with its interval."""
    if accuracy is None:
        return ""
    low, high = accuracy["change_interval"]
    return f"{100 * accuracy['change']:+.2f} {100 * low:+.1f}..{100 * high:+.1f}"


def part(text: Callable[[Mapping[str, Any] | None], str], index: int) -> Callable[[Engine], str]:
    """The value (0) or the interval (1) of an accuracy, which share a cell in the page."""

    def cell(engine: Engine) -> str:
        both = text(engine["accuracy"]).split(" ", 1)
        return both[index] if len(both) > index else ""

    return cell


def differing(engine: Engine) -> str:
    """Spikes that differ; for integers, from the integer interpreter."""
    bits = engine["integer_bits_apart"]
    return f"{engine['spikes']['differing']:,}" if bits is None else f"{bits:,} integers"


def of_reals(key: str) -> Callable[[Engine], str]:
    """A count that only says something of engines in real numbers, if it is not 0."""

    def cell(engine: Engine) -> str:
        count = engine["spikes"][key]
        return f"{count:,}" if count and engine["integer_bits_apart"] is None else ""

    return cell


def operations(key: str) -> Callable[[Engine], str]:
    """Operations a sample."""
    return lambda engine: f"{engine['operations']['total'][key]:,.0f}"


def energy(engine: Engine, model: str) -> str:
    """Nanojoules a sample by one model."""
    found = [e["picojoules_per_sample"] for e in engine["energy"] if e["model"] == model]
    return f"{found[0] / 1000:,.1f}" if found else ""


def speed(engine: Engine) -> str:
    """Samples a second."""
    per_second = engine["samples_per_second"]
    return f"{per_second:,.1f}" if per_second else ""


ROWS: tuple[tuple[str, Callable[[Engine], str]], ...] = (
    ("verdict", mark),
    ("samples", lambda engine: f"{engine['samples']:,}"),
    ("accuracy, %", part(percent, 0)),
    ("  95 %", part(percent, 1)),
    ("change, points", part(change, 0)),
    ("  95 %, paired", part(change, 1)),
    ("differing spikes", differing),
    ("  root flips", of_reals("root_flips")),
    ("  beyond rounding", of_reals("root_flips_beyond_rounding")),
    ("  samples touched", of_reals("samples_touched")),
    ("synaptic ops", operations("synaptic_operations")),
    ("MACs", operations("macs_static_input_once")),
    ("samples/s", speed),
)
