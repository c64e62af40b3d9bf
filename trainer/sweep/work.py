"""One cell: train it, measure it, write down what was found. Runs in a process of its own."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...core.errors import SpikeportError, TrainingError
from .. import checkpoint, data
from ..folder import write_text
from ..loop import fit
from .measures import measured
from .plan import Cell, Measure

FOUND = "found.json"  # in a cell's folder: metrics and measures
HOW = {"threads": 1, "progress": False, "loggers": ()}  # of every cell's [run]


@dataclass(frozen=True)
class Found:
    """values: by name, accuracy among them; problem: why there are none."""

    values: dict[str, float]
    problem: str = ""


def done(cell: Cell, measure: Measure, out: Path) -> Found | None:
    """What was found earlier with the same settings and measures; None: nothing yet."""
    try:
        kept = json.loads((out / cell.folder / FOUND).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = kept.get("measure") == measure.model_dump()
    return Found(kept["values"]) if same else None


def work(cell: Cell, measure: Measure, out: Path) -> Found:
    """Train the cell, or go on where it stopped, and measure it. A failure is a Found, too."""
    try:
        values = trained(cell, measure, out / cell.folder)
        if measure.overflow is not None:
            values["overflow"] = 0.0
    except SpikeportError as error:
        if measure.overflow is None or not isinstance(error, TrainingError):
            return Found({}, str(error))
        values = {"accuracy": measure.overflow, "overflow": 1.0}
    content = {"cell": dict(cell.varied), "measure": measure.model_dump(), "values": values}
    write_text(out / cell.folder / FOUND, json.dumps(content, indent=1) + "\n")
    return Found(values)


def trained(cell: Cell, measure: Measure, folder: Path) -> dict[str, float]:
    """Numbers of a trained cell."""
    run = cell.config.run.model_copy(update=HOW)
    config = cell.config.model_copy(update={"run": run})
    samples = data.encoded(named(config.data), config.data.encoder, config.seed)
    if (folder / "metrics.json").exists():
        made = checkpoint.load(folder / "best.ckpt")
    else:
        made = fit(config, folder, resume=True, dataset=named(config.data))
    metrics: dict[str, Any] = dict(made.metrics)
    values = {k: float(v) for k, v in metrics.items() if isinstance(v, int | float)}
    values["accuracy"] = values["test_accuracy"]
    return values | measured(made, samples, measure)


@lru_cache(maxsize=2)
def named(settings: Any) -> data.DataSet:
    """A process that trains many cells reads their data once."""
    return data.named(settings)
