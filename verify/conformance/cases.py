"""The cases as files, for whoever cannot call Python: NAME.nir, NAME.npz, with what is expected."""

from pathlib import Path

import nir
import numpy as np

from ...backends.conformance import Case
from ...backends.conformance.nested import as_graph
from ...core.files import written_whole
from ...export import recipes
from ...export.passes.base import run_passes
from .subjects import expected


def write(case: Case, folder: Path) -> bool:
    """Write one case: its graph as nir writes it, and an archive with `input/NODE`,
    `output/NODE`, and `spikes/NODE` of every population. False for the chip's own networks,
    whose expected bits a plain NIR reader cannot be asked for."""
    network = run_passes(case.network, recipes.FLOAT).network
    if network.number_format == "loihi":
        return False
    wanted = expected(network, case.inputs)
    arrays = {f"input/{name}": values for name, values in case.inputs.items()}
    arrays |= {f"output/{name}": values for name, values in wanted.outputs.items()}
    spikes = {f"spikes/{name}": values for name, values in wanted.spikes.items()}
    with written_whole(folder / f"{case.name}.nir") as part:
        nir.write(part, as_graph(network, case.nested))
    with written_whole(folder / f"{case.name}.npz") as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays, **spikes)  # type: ignore[arg-type]
    return True
