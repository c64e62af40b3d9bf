"""Files that snnTorch's exporter wrote, imported, against the models that it exported."""

import warnings
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import nn

from spikeport.core.errors import NetworkError
from spikeport.export.dialects import load

from ..theirs.test_snntorch import KINDS, in_double, run
from .held import agree

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

RESETS = {"subtract": "subtract", "value": "zero", "none": "none"}


def population(random: np.random.Generator, size: int, reset: str) -> Any:
    """What the exporter takes: a number for each neuron, in float32 as people train."""

    def decay() -> torch.Tensor:
        return torch.tensor(random.uniform(0.05, 0.99, size), dtype=torch.float32)

    how: dict[str, Any] = {
        "threshold": torch.tensor(random.uniform(0.5, 1.5, size), dtype=torch.float32),
        "reset_mechanism": RESETS[reset],
        "init_hidden": True,
    }
    match random.integers(5):
        case 0:
            return snn.Synaptic(decay(), decay(), **how)
        case 1:
            return snn.RLeaky(decay(), linear_features=size, **how)
        case 2:
            one = torch.tensor(random.normal(0, 1, size), dtype=torch.float32)
            return snn.RLeaky(decay(), V=one, all_to_all=False, **how)
        case 3:
            return snn.RSynaptic(decay(), decay(), linear_features=size, **how)
    return snn.Leaky(decay(), **how)


def chain(seed: int, reset: str) -> Any:
    """A random chain of one to three populations."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    sizes = random.integers(3, 9, random.integers(1, 4))
    layers: list[nn.Module] = [nn.Flatten()]
    for last, size in zip((6, *sizes), sizes, strict=False):
        dense = nn.Linear(last, size, bias=bool(random.integers(2)))
        layers += [dense, population(random, size, reset)]
    final: Any = layers[-1]
    final.output = True
    return nn.Sequential(*layers)


def exported(model: nn.Module, path: Path) -> Path:
    graph = export_to_nir(model, torch.zeros(1, 2, 3), ignore_dims=[0])
    nir.write(path, graph)
    layer: Any
    for layer in model.modules():
        if hasattr(layer, "reset_mem"):
            layer.reset_mem()
    return path


def loops(model: Any) -> dict[str, str]:
    """Where the exporter puts the neurons of a recurrent layer."""
    recurrent = (snn.RLeaky, snn.RSynaptic)
    return {str(i): f"{i}.lif" for i, layer in enumerate(model) if isinstance(layer, recurrent)}


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("seed", range(15))
def test_random_chains(seed: int, reset: str, tmp_path: Path) -> None:
    model = chain(seed, reset)
    path = exported(model, tmp_path / "theirs.nir")
    made = agree(path, in_double(model), KINDS, run, "snntorch", names=loops(model), reset=reset)
    assert made.network.meaning.dt == 1e-4
    assert any("reset_delay=true" in line for line in made.assumed)
    found = load(path, "auto", None, {"reset": reset})
    assert found.dialect.name == "snntorch" and "tau / 1e-4" in found.evidence[0]


@pytest.mark.parametrize("reset", ["value", "none"])
def test_decays_are_clipped_as_the_model_clips_them(reset: str, tmp_path: Path) -> None:
    """A beta that training has moved below 0 is written as it is, and not run so."""
    torch.manual_seed(0)
    beta = torch.tensor([-0.3, 0.0, 0.2, 0.5, 0.9, 0.999])
    lif = snn.Leaky(
        beta, threshold=torch.ones(6), reset_mechanism=RESETS[reset], init_hidden=True, output=True
    )
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 6), lif)
    path = exported(model, tmp_path / "theirs.nir")
    agree(path, in_double(model), KINDS, run, "snntorch", reset=reset)


def test_the_reset_must_be_said(tmp_path: Path) -> None:
    path = exported(chain(0, "subtract"), tmp_path / "theirs.nir")
    for dialect in ("snntorch", "auto"):
        with pytest.raises(NetworkError, match=r"--reset subtract\|value\|none"):
            load(path, dialect)


def test_another_dt_is_no_dt_of_this_exporter(tmp_path: Path) -> None:
    path = exported(chain(0, "subtract"), tmp_path / "theirs.nir")
    with pytest.raises(NetworkError, match="writes every file with dt"):
        load(path, "snntorch", 1e-3, {"reset": "subtract"})


def test_another_reset_is_another_network(tmp_path: Path) -> None:
    """What is asked for matters: the wrong answer gives other spikes."""
    model = chain(0, "subtract")
    path = exported(model, tmp_path / "theirs.nir")
    with pytest.raises(AssertionError, match="of"):
        agree(path, in_double(model), KINDS, run, "snntorch", names=loops(model), reset="value")
