"""Files that SpikingJelly's exporter wrote, imported, against the models that it exported."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir
from torch import nn

from spikeport.core.errors import NetworkError
from spikeport.export.dialects import load

from ..theirs.test_spikingjelly import KINDS, run
from .held import agree


def population(random: np.random.Generator, told: bool) -> Any:
    """told: its r says dt."""
    v_reset = [0.0, -0.5][random.integers(2)]
    how: dict[str, Any] = {"v_threshold": float(random.uniform(0.6, 1.4)), "v_reset": v_reset}
    match random.integers(4):
        case 0 if told:
            return neuron.IFNode(**how)
        case 1 if told:
            return neuron.CUBALIFNode(0.4, 0.8, v_threshold=how["v_threshold"], v_reset=0.0)
        case 2 if told:
            return neuron.LIFNode(float(random.uniform(1.2, 6)), False, **how)
        case 3:
            return neuron.ParametricLIFNode(2.5, not told, **how)
    return neuron.LIFNode(float(random.uniform(1.2, 6)), not told, **how)


def exported(seed: int, path: Path, dt: float, told: bool) -> nn.Sequential:
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    conv = layer.Conv2d(2, 4, 3)
    conv.weight.data *= 3
    layers: list[nn.Module] = [conv, population(random, told), layer.Flatten()]
    sizes = random.integers(3, 9, random.integers(1, 4))
    for last, size in zip((8, *sizes), sizes, strict=False):
        dense = layer.Linear(last, size)
        dense.weight.data *= 3
        layers += [dense, population(random, told)]
    model = nn.Sequential(*layers)
    export_to_nir(model, torch.zeros(1, 2, 3, 4), path, dt)
    functional.reset_net(model)
    return model


@pytest.mark.parametrize("seed", range(30))
def test_random_chains(seed: int, tmp_path: Path) -> None:
    """dt is told by r, or said."""
    told, dt = bool(seed % 2), [1e-4, 1e-3, 0.7][seed % 3]
    path = tmp_path / "theirs.nir"
    model = exported(seed, path, dt, told)
    names = {str(i): f"_{i}" for i in range(len(model))}
    made = agree(path, model, KINDS, run, "spikingjelly", None if told else dt, names)
    assert made.network.meaning.dt == dt


def test_dt_must_be_said_where_nothing_tells_it(tmp_path: Path) -> None:
    exported(0, tmp_path / "theirs.nir", 1e-4, False)
    with pytest.raises(NetworkError, match="nothing in it tells the dt"):
        load(tmp_path / "theirs.nir", "spikingjelly")


def test_dt_must_not_contradict_the_file(tmp_path: Path) -> None:
    exported(1, tmp_path / "theirs.nir", 1e-3, True)
    with pytest.raises(NetworkError, match="contradicts the file"):
        load(tmp_path / "theirs.nir", "spikingjelly", 1e-4)


def test_auto_refuses_what_would_be_two_networks(tmp_path: Path) -> None:
    """LIFs with r = 1 in seconds may be SpikingJelly's, which fire at the threshold, or plain."""
    exported(2, tmp_path / "theirs.nir", 1e-3, False)
    with pytest.raises(NetworkError, match="spikingjelly and plain both fit"):
        load(tmp_path / "theirs.nir", "auto", 1e-3)


def test_auto_finds_it_where_r_is_its_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(layer.Linear(6, 5), neuron.LIFNode(3.0, False, v_reset=-0.5))
    export_to_nir(model, torch.zeros(1, 6), tmp_path / "theirs.nir", 1e-3)
    found = load(tmp_path / "theirs.nir", "auto")
    assert found.dialect.name == "spikingjelly" and "0.001" in found.evidence[0]
