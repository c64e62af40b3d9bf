"""The matrix for people: docs/capabilities.md, or a few lines on a terminal.

Primitives by subject first, counted over the cases that hold them; then every case by subject,
with the reasons by number.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...backends.conformance import make
from .verdict import Verdict

HEAD = """# What every engine runs

Measured, not promised: `spikeport conformance --write docs/capabilities.md` runs every case of
`spikeport.backends.conformance` on every engine that is installed, and compares each population's
spikes with `==`, outputs and states to rounding, and a sample run by itself with the batch.

*exact*: not one spike differs from the definition's (`core/interpreter.py`; for `loihi` and
`lava-fixed` the integer interpreter's bits). *within tolerance*: what the engine promises, and the
reason says how far. *refuses*: by name; the reason is below. **WRONG** would be a cell that ran and
gave something else.
"""
# NIR 1.0.8's, in its order, then what lives only before lowering
PRIMITIVES = (
    "Input Output Linear Affine Scale Conv1d Conv2d SumPool2d AvgPool2d Flatten Delay Threshold "
    "I LI IF LIF CubaLI CubaLIF BatchNorm MaxPool2d"
).split()


@dataclass(frozen=True)
class Column:
    """A subject with its verdicts, case by case."""

    name: str
    versions: Mapping[str, str] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Column":
        """From what `facts` gave."""
        verdicts = {
            str(name): Verdict(told["verdict"], told["why"], told.get("layer"), told.get("step"))
            for name, told in facts["cases"].items()
        }
        return cls(str(facts["name"]), dict(facts["versions"]), verdicts)

    @property
    def bad(self) -> tuple[str, ...]:
        """The cases that ran and were wrong."""
        return tuple(name for name, found in self.verdicts.items() if found.bad)

    def facts(self) -> dict[str, object]:
        """JSON-ready."""
        cases = {name: found.facts() for name, found in self.verdicts.items()}
        return {"name": self.name, "versions": dict(self.versions), "cases": cases}


def summary(column: Column, kind: str) -> str:
    """A primitive in a cell: how many of the cases that hold it came out how."""
    words = Counter(
        found.word for name, found in column.verdicts.items() if kind in make(name).primitives
    )
    return ", ".join(f"{word} {count}" for word, count in sorted(words.items())) or "-"


def page(columns: Sequence[Column], date: str, head: str = HEAD) -> str:
    """The Markdown page."""
    names = [column.name for column in columns]
    lines = [head, f"Measured on {date} with:\n"]
    for column in columns:
        said = ", ".join(f"{package} {number}" for package, number in column.versions.items())
        lines.append(f"- `{column.name}`: {said or 'no versions given'}")
    lines += ["", "## Primitives", "", "How many of the cases that hold it.", ""]
    lines += header("primitive", names)
    for kind in PRIMITIVES:
        lines.append(row(kind, [summary(column, kind) for column in columns]))
    lines += ["", "## Cases", ""]
    lines += header("case", names)
    reasons: list[str] = []
    for case in columns[0].verdicts:
        lines.append(row(f"`{case}`", [cell(c.verdicts[case], reasons) for c in columns]))
    lines += ["", "## Reasons", *(f"{n}. {why}" for n, why in enumerate(reasons, 1))]
    return "\n".join(lines) + "\n"


def header(first: str, names: Sequence[str]) -> list[str]:
    """The two lines above a table."""
    return [row(first, [f"`{name}`" for name in names]), "|" + "---|" * (len(names) + 1)]


def row(first: str, cells: Sequence[str]) -> str:
    """One line of a table."""
    return f"| {first} | {' | '.join(cells)} |"


def cell(found: Verdict, reasons: list[str]) -> str:
    """A verdict with the number of its reason; new reasons join the list."""
    word = f"**{found.word}**" if found.bad else found.word
    if not found.why:
        return word
    why = plain(found.why)
    if why not in reasons:
        reasons.append(why)
    return f"{word} ({reasons.index(why) + 1})"


def plain(why: str) -> str:
    """A reason on one line that no table or list trips over."""
    return " ".join(why.split()).replace("|", "\\|")


def lines(column: Column) -> list[str]:
    """For a terminal: a case a line."""
    width = max(map(len, column.verdicts), default=0)
    told = [
        f"{name:<{width}}  {found.word}{': ' if found.why else ''}{plain(found.why)}"
        for name, found in column.verdicts.items()
    ]
    words = Counter(found.word for found in column.verdicts.values())
    count = ", ".join(f"{word} {n}" for word, n in sorted(words.items()))
    return [f"{column.name}:", *told, f"{len(told)} cases: {count}"]
