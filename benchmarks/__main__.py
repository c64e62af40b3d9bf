"""`python -m spikeport.benchmarks NAME`: one JSON line a figure: name, value, unit, bar, ok.

The same figures, with the machine and the versions, go into NAME.json, and a picture of them into
NAME.svg, in the folder runs/bench or SPIKEPORT_BENCH_OUT. A run that is cut short leaves the
figures that it had.
"""

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from ..core.files import written_whole
from . import machine, picture
from .figure import Figure

BENCHES = ("engines", "emulator", "neurons", "pools", "training", "memory", "export")
LONG = (
    "quantisation",
    "verification",
    "emulator-gpu",
    "kernels-gpu",
)  # many minutes, or a GPU: only when asked for by name
OUT = "SPIKEPORT_BENCH_OUT"


def main() -> int:
    """Run one benchmark, or all; 1 if a bar is missed, 2 if there is no such benchmark."""
    asked = sys.argv[1] if len(sys.argv) == 2 else ""
    if asked not in (*BENCHES, *LONG, "all"):
        print(f"give one of {', '.join((*BENCHES, *LONG))}, or all", file=sys.stderr)
        return 2
    folder = Path(os.environ.get(OUT, "runs/bench"))
    missed = False
    for name in BENCHES if asked == "all" else (asked,):
        for figure in measured(name, folder):
            missed |= figure.ok is False
    return int(missed)


def measured(name: str, folder: Path) -> list[Figure]:
    """The figures of one benchmark, printed as they come, kept in files."""
    module = importlib.import_module(f".{name.replace('-', '_')}", __package__)
    about, found = machine.described(), list[Figure]()
    try:
        for figure in module.figures():
            print(figure.line(), flush=True)
            found.append(figure)
    finally:
        if found:
            keep(folder / f"{name}.json", about, found)
    picture.draw(found, folder / f"{name}.svg")
    print(f"{folder}/{name}.json and {name}.svg", file=sys.stderr)
    return found


def keep(path: Path, about: dict[str, Any], figures: list[Figure]) -> None:
    """What was measured, and where."""
    told = {"machine": about, "figures": [json.loads(figure.line()) for figure in figures]}
    with written_whole(path) as part:
        part.write_text(json.dumps(told, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    sys.exit(main())
