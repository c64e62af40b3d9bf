"""The table as Markdown: verdicts by method and engine, refusals by number, what norms cost."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .measure import ENGINES, Cell, Row

HEAD = """# What becomes of it at deployment

Measured, not promised: `spikeport methods --write docs/deployment.md` builds a small net for every
method, lowers it, prepares it for each engine, runs a sample of digits and compares with `==`.

*exact*: not one spike differs from the trained model's in float64. *integers*: quantised, and every
bit is that of the integer interpreter; what rounding to integers costs is another question
([loihi.md](loihi.md), [quantisation.md](quantisation.md)). *rounding*: spikes differ, and float
rounding is proven to explain each. *refused*: by name, with the reason below. *spikes*: how many
the trained model fires on the sample, all of which are compared.
"""
COSTS = """
## Approximations
Where export or an engine refuses a norm, `spikeport.trainer.approximate` gives another network that
all of them run. What that cost after {epochs} epochs on the digits, in points of accuracy on the
validation split:

| norm | trained | approximated | drop |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Cost:
    """Of an approximated norm; accuracies from 0 to 1."""

    norm: str
    trained: float
    approximated: float


def page(rows: Sequence[Row], costs: Sequence[Cost] = (), epochs: int = 0) -> str:
    """docs/deployment.md."""
    engines = [engine for engine in ENGINES if any(engine in row.cells for row in rows)]
    reasons: list[str] = []
    lines = [
        "",
        f"| | method | spikes | {' | '.join(f'`{engine}`' for engine in engines)} |",
        "|" + "---|" * (len(engines) + 3),
    ]
    lines += [line(row, engines, reasons) for row in rows]
    text = HEAD + "\n".join(lines) + "\n"
    if costs:
        text += COSTS.format(epochs=epochs) + "".join(map(cost_line, costs))
    if reasons:
        text += "\n## Reasons\n" + "".join(f"{n}. {why}\n" for n, why in enumerate(reasons, 1))
    return text


def line(row: Row, engines: Iterable[str], reasons: list[str]) -> str:
    """One row; new reasons join the list."""
    cells = " | ".join(word(row.cells[engine], reasons) for engine in engines)
    return f"| {row.group} | `{row.name}` | {row.spikes or ''} | {cells} |"


def word(cell: Cell, reasons: list[str]) -> str:
    """A verdict, with the number of its reason."""
    if not cell.why:
        return cell.verdict
    why = plain(cell.why)
    if why not in reasons:
        reasons.append(why)
    return f"{cell.verdict} ({reasons.index(why) + 1})"


def plain(why: str) -> str:
    """A reason without the place in somebody's files."""
    return re.sub(r" \(/[^)]*:\d+: [^\n]*?\)(?=:)", "", why).replace("|", "\\|")


def cost_line(cost: Cost) -> str:
    """One row of what norms cost."""
    trained, after = 100 * cost.trained, 100 * cost.approximated
    return f"| `{cost.norm}` | {trained:.1f} | {after:.1f} | {trained - after:.1f} |\n"
