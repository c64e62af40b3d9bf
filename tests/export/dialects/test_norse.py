"""Files that Norse's exporter wrote, imported, against the models that it exported."""

from pathlib import Path
from typing import Any

import nir
import norse.torch as norse
import numpy as np
import pytest
import torch
from norse.torch.functional.iaf import IAFParameters
from norse.torch.functional.lif_box import LIFBoxParameters
from norse.torch.functional.reset import reset_subtract, reset_value
from norse.torch.utils.export_nir import to_nir
from torch import Tensor, nn

from spikeport.core.errors import NetworkError
from spikeport.export.dialects import load

from ..theirs.test_norse import KINDS, in_double, run
from .held import agree

RESETS = {"value": reset_value, "subtract": reset_subtract}


def numbers(random: np.random.Generator, size: int) -> dict[str, Any]:
    def many(low: float, high: float) -> Tensor:
        return torch.tensor(random.uniform(low, high, size), dtype=torch.float32)

    return {
        "tau_mem_inv": many(50, 400),
        "v_leak": torch.full((size,), [0.0, 0.25][random.integers(2)]),
        "v_th": many(0.4, 0.9),
        "v_reset": torch.zeros(size),
    }


def exported(seed: int, path: Path, dt: float, reset: str) -> Any:
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    sizes = random.integers(3, 9, random.integers(1, 4))
    for last, size in zip((6, *sizes), sizes, strict=False):
        p = numbers(random, size)
        dense = nn.Linear(last, size)
        dense.weight.data *= 4
        match random.integers(3):
            case 0:
                made = norse.LIFBoxCell(LIFBoxParameters(**p, reset_method=RESETS[reset]), dt=dt)
            case 1:
                p["tau_syn_inv"] = torch.rand(size) * 700 + 100
                made = norse.LIFCell(norse.LIFParameters(**p), dt=dt)
            case _:
                made = norse.IAFCell(IAFParameters(v_th=p["v_th"], v_reset=p["v_reset"]), dt=dt)
        layers += [dense, made]
    model = norse.SequentialState(*layers)
    nir.write(path, to_nir(model, torch.zeros(1, 6), dt=dt))
    return model


def exact(model: Any) -> Any:
    """Parameters in float64, too: they are NamedTuples, which .double() misses."""
    for layer in model:
        if isinstance(layer, KINDS):
            values = (v.detach().double() if isinstance(v, Tensor) else v for v in layer.p)
            layer.p = type(layer.p)(*values)
    return in_double(model)


@pytest.mark.parametrize("seed", range(30))
def test_random_chains(seed: int, tmp_path: Path) -> None:
    reset, dt = ["value", "subtract"][seed % 2], [1e-3, 5e-4][seed % 3 % 2]
    path = tmp_path / "theirs.nir"
    model = exported(seed, path, dt, reset)
    said = {"reset": reset}
    agree(path, exact(model), KINDS, run, "norse", dt, reset=reset)
    if all(isinstance(m, norse.IAFCell | nn.Linear) for m in model):  # r = 1 says no more
        with pytest.raises(NetworkError, match="norse and sinabs both fit"):
            load(path, "auto", dt, said)
        return
    found = load(path, "auto", dt, said)
    assert found.dialect.name == "norse" and "batch" in found.evidence[0]
    assert any("has the batch as its first axis" in line for line in found.assumed)


def test_the_step_must_be_said(tmp_path: Path) -> None:
    exported(1, tmp_path / "theirs.nir", 1e-3, "value")
    with pytest.raises(NetworkError, match="say --dt"):
        load(tmp_path / "theirs.nir", "norse", None, {"reset": "value"})


def test_the_reset_of_a_box_must_be_said(tmp_path: Path) -> None:
    model = norse.SequentialState(
        norse.LIFBoxCell(LIFBoxParameters(*(torch.full((4,), v) for v in (100.0, 0.0, 1.0, 0.0))))
    )
    nir.write(tmp_path / "theirs.nir", to_nir(model, torch.zeros(1, 4)))
    with pytest.raises(NetworkError, match=r"--reset value\|subtract"):
        load(tmp_path / "theirs.nir", "auto", 1e-3)
