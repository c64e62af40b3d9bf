"""`python -m spikeport.benchmarks NAME`: one JSON line a figure: name, value, unit, bar, ok."""

import importlib
import sys

BENCHES = ("engines", "emulator", "neurons", "training", "memory", "export")
LONG = (
    "quantisation",
    "verification",
    "emulator-gpu",
)  # many minutes, or a GPU: only when asked for by name


def main() -> int:
    """Run one benchmark, or all; 1 if a bar is missed, 2 if there is no such benchmark."""
    asked = sys.argv[1] if len(sys.argv) == 2 else ""
    if asked not in (*BENCHES, *LONG, "all"):
        print(f"give one of {', '.join((*BENCHES, *LONG))}, or all", file=sys.stderr)
        return 2
    missed = False
    for name in BENCHES if asked == "all" else (asked,):
        module = importlib.import_module(f".{name.replace('-', '_')}", __package__)
        for figure in module.figures():
            print(figure.line(), flush=True)
            missed |= figure.ok is False
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
