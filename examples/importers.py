"""NIR importers of other libraries, as they are, as subjects of the conformance suite:

    cd examples
    PYTHONPATH=. spikeport conformance --backend importers:norse --epsilon 1.2e-7 --limit 30
    ... --backend importers:norse --for norse

Each gets the graph, and dt if it asks for it, and runs from rest. An exception is a refusal; what
runs and gives other spikes is WRONG, with the first step. --for writes the network so that this
importer reads it right, or refuses. Compare with the engines of the same names, which put right
what the importers lose.

    python importers.py ../docs/importers.md   # all of them, both ways
"""

import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch

from spikeport.backends.conformance import BUILDERS, make
from spikeport.verify.cli.conformance import today
from spikeport.verify.conformance.limited import Limited
from spikeport.verify.conformance.page import Column, page
from spikeport.verify.readers import FLOAT32, IMPORTERS

Tensor = torch.Tensor


def signal_of(x: Any) -> Tensor:
    """The only input [T, B, *shape]."""
    if isinstance(x, dict):
        raise NotImplementedError(f"{len(x)} Inputs; these importers' modules take one")
    return torch.from_numpy(np.array(x, dtype=np.float32))


def stepped(make: Any, x: Tensor, batched: bool = True) -> Any:
    """make() gives a module (x, state) -> (y, state): over time, from rest. Not batched: sample
    by sample without that axis, which some count among a Flatten's."""
    with torch.no_grad():
        if not batched:
            samples = [over_time(make(), x[:, sample]) for sample in range(x.shape[1])]
            return torch.stack(samples, 1).numpy()
        return over_time(make(), x).numpy()


def over_time(module: Any, x: Tensor) -> Tensor:
    """[T, ...] -> [T, ...]."""
    state, said = None, []
    for now in x:
        out, state = module(now, state)
        said.append(out)
    return torch.stack(said)


def flattens(graph: nir.NIRGraph) -> bool:
    """Whether there is a Flatten."""
    return any(isinstance(node, nir.Flatten) for node in graph.nodes.values())


def norse(graph: nir.NIRGraph, x: Any, dt: float) -> Any:
    """norse.torch.from_nir, which would warn of every r."""
    import norse.torch

    signal = signal_of(x)
    return stepped(lambda: norse.torch.from_nir(graph, True, dt=dt), signal, not flattens(graph))


def snntorch(graph: nir.NIRGraph, x: Any) -> Any:
    """snntorch's import_from_nir, whose step is 1e-4 s."""
    from snntorch.import_nir import import_from_nir

    signal = signal_of(x)
    return stepped(lambda: import_from_nir(graph), signal, not flattens(graph))


def spikingjelly(graph: nir.NIRGraph, x: Any, dt: float) -> Any:
    """SpikingJelly's import_from_nir."""
    from spikingjelly.activation_based.nir_exchange.from_nir import import_from_nir

    return stepped(lambda: import_from_nir(graph, dt=dt), signal_of(x))


def sinabs(graph: nir.NIRGraph, x: Any) -> Any:
    """sinabs.from_nir, whose layers fold time into the batch."""
    from sinabs.nir import from_nir

    signal = signal_of(x)
    steps, batch = signal.shape[:2]
    module = from_nir(graph, batch_size=batch, num_timesteps=steps)
    with torch.no_grad():
        found = module(signal.transpose(0, 1).flatten(0, 1))
    out = found[0] if isinstance(found, tuple) else found
    return out.reshape(batch, steps, *out.shape[1:]).transpose(0, 1).numpy()


SECONDS = 60.0  # a case; some importers hang
HEAD = """# What other libraries' importers make of our files

Measured, not promised: `python examples/importers.py docs/importers.md` hands every case of
`spikeport.backends.conformance`, as we write it, to each library's own NIR importer, unchanged, in
a process of its own, and compares what its module gives with what the network gives, step by
step: once as `spikeport export` writes any file, and once as `spikeport export --for NAME` does.

*exact*: every value of the Output agrees to float32's rounding, every spike with `==`.
*refuses*: the importer raises, dies or hangs; or, with `--for`, spikeport says what it would
change and writes nothing. **WRONG**: it runs, and runs another network. `--for` has none: what
an importer reads right is declared in `verify/readers.py`, a network is brought within it by
exact passes, and the rest is an error. Norse's and Sinabs' importers order nodes by sets, so that
without `--for` what goes wrong, and whether it raises, differs from run to run: two cells of
Norse's did, though PYTHONHASHSEED was 1. What goes wrong is the importers' doing:

{causes}

## In all

{counts}
"""


def measured() -> list[Column]:
    """Each importer that is installed, on files as they are and on files written for it."""
    os.environ["PYTHONHASHSEED"] = "1"  # of the processes that are asked
    columns = []
    for name, importer in IMPORTERS.items():
        packages = {p: version(p) for p in (name, "nir", "nirtorch")}
        for reader in (None, name):
            subject = Limited(f"importers:{name}", FLOAT32, reader, SECONDS)
            told = name if reader is None else f"{name} --for"
            found = {case: subject.verdict(make(case)) for case in BUILDERS}
            subject.close()
            columns.append(Column(told, packages, found))
            print(importer.title, told, file=sys.stderr)
    return columns


def counted(column: Column) -> str:
    """A row: how many cases came out how."""
    words = [found.word for found in column.verdicts.values()]
    return f"| `{column.name}` | " + " | ".join(
        str(words.count(word)) for word in ("exact", "refuses", "WRONG")
    ) + " |"  # fmt: skip


def main(path: Path) -> None:
    """Write the page."""
    columns = measured()
    causes = "\n".join(f"- {x.title} {x.changes}." for x in IMPORTERS.values())
    rows = ["| | exact | refuses | WRONG |", "|---|---|---|---|", *map(counted, columns)]
    head = HEAD.format(causes=causes, counts="\n".join(rows))
    path.write_text(page(columns, today(), head), encoding="utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
