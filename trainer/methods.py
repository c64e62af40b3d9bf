"""What becomes of a training method when the network is deployed: one answer a method."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["exact", "training only", "host", "refused"]


@dataclass(frozen=True)
class Answer:
    """exact: the exported network computes it, spike for spike. training only: it leaves no
    trace in the network. host: it stays outside, before or behind the network. refused: export
    says no, and says what to do. `how` in a few words."""

    outcome: Outcome
    how: str


def table(rows: dict[str, Answer]) -> list[str]:
    """A Markdown table: name, outcome, how."""
    return [
        "| name | at deployment | how |",
        "|---|---|---|",
        *(f"| `{name}` | {answer.outcome} | {answer.how} |" for name, answer in rows.items()),
    ]
