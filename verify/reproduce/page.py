"""What is written about an experiment: Markdown and JSON from the same facts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..statistics import mean_interval
from .claims import Group, Verdict, scale
from .experiment import Experiment


@dataclass(frozen=True)
class Outcome:
    """All of an experiment that was run."""

    experiment: Experiment
    groups: tuple[Group, ...]
    verdicts: tuple[Verdict, ...]
    command: str
    versions: dict[str, str]
    seeds: tuple[int, ...]


def facts(outcome: Outcome) -> dict[str, Any]:
    """For machines."""
    about = outcome.experiment.contents.experiment
    return {
        "name": outcome.experiment.name,
        "title": about.title,
        "command": outcome.command,
        "versions": outcome.versions,
        "seeds": list(outcome.seeds),
        "groups": [
            {"keys": dict(g.keys), "values": {k: list(v) for k, v in g.values.items()}}
            for g in outcome.groups
        ],
        "claims": [{"text": v.text, "seen": v.seen, "told": v.told} for v in outcome.verdicts],
    }


def page(outcome: Outcome, picture: str) -> str:
    """The page in docs/reproduce/."""
    contents = outcome.experiment.contents
    about = contents.experiment
    versions = ", ".join(f"{k} {v}" for k, v in outcome.versions.items())
    seeds = ", ".join(map(str, outcome.seeds))
    parts = [
        f"# {about.title}",
        about.paper,
        f"Scaled down: {about.scaled}",
        f"`{outcome.command}` writes this page; seeds {seeds}; {versions}.",
        "## Claims\n\n" + "\n".join(claims(outcome.verdicts)),
        "## Measured\n\nMean over seeds, 95 % interval of Student's t; accuracies in %.\n\n"
        + "\n".join(table(outcome)),
    ]
    if contents.paper_numbers:
        rows = [f"| {n.what} | {n.value} | {n.where} |" for n in contents.paper_numbers]
        parts.append(
            "## The paper's own numbers\n\n| what | value | where |\n|---|---|---|\n"
            + "\n".join(rows)
        )
    parts.append(f"![{about.title}]({picture})")
    return "\n\n".join(parts) + "\n"


def claims(verdicts: Sequence[Verdict]) -> list[str]:
    """A line each."""
    return [f"* **{'seen' if v.seen else 'not seen'}**: {v.text}: {v.told}" for v in verdicts]


def table(outcome: Outcome) -> list[str]:
    """A Markdown table: a group a line."""
    columns = outcome.experiment.contents.experiment.columns
    keys = list(dict.fromkeys(key for group in outcome.groups for key in group.keys))
    lines = ["| " + " | ".join([*(short(k) for k in keys), *columns]) + " |"]
    lines.append("|" + "---|" * (len(keys) + len(columns)))
    for group in outcome.groups:
        place = [str(group.keys.get(key, "")) for key in keys]
        lines.append("| " + " | ".join([*place, *(cell(group, c) for c in columns)]) + " |")
    return lines


def cell(group: Group, name: str) -> str:
    """mean (low .. high)."""
    if name not in group.values:
        return ""
    middle, low, high = mean_interval(group.of(name))
    digits = 2 if scale(name) != 1 or abs(middle) >= 10 else 4
    told = f"{middle:.{digits}f}"
    return told if math.isinf(low) else f"{told} ({low:.{digits}f} .. {high:.{digits}f})"


def short(key: str) -> str:
    """The last two words of a dotted key."""
    return ".".join(key.split(".")[-2:])
