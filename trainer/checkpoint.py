"""A trained model in one file, and its fingerprint.

A checkpoint holds plain values and tensors only, so that reading one runs no code: settings (as
TOML), weights, metrics, shapes, versions, and what the trainer needs to go on.
"""

import hashlib
import pickle
import platform
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..core.config import parse
from ..core.errors import CheckpointError, ConfigError, NetworkError
from ..core.files import written_whole
from ..core.settings import TrainConfig
from ..core.version import __version__
from .graph import GraphNet, Start
from .models import build
from .models.blocks import surrogate

FORMAT = "spikeport checkpoint"
VERSION = 1
Metrics = dict[str, float | int | str]
Content = Literal["analogue", "spikes"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A model with what it was made from and how good it is.

    input_shape: of one sample at one step; classes: how many. state: what the trainer needs to
    go on, empty where training has ended. start: of a model that was fine-tuned, the graph that
    it is; else None. content: what the samples brought to its input.
    """

    model: nn.Module
    config: TrainConfig
    metrics: Metrics
    input_shape: tuple[int, ...]
    classes: int
    state: Mapping[str, Any] = field(default_factory=dict)
    start: Start | None = None
    content: Content = "analogue"


def fresh(
    config: TrainConfig, input_shape: tuple[int, ...], classes: int, start: Start | None
) -> nn.Module:
    """The model of the settings, or of the graph that fine-tuning starts from, untrained here."""
    if start is None:
        return build(config.model, input_shape, classes)
    neuron = config.model.neuron
    return GraphNet(start, surrogate(neuron.surrogate), neuron.detach_reset)


class Undrawn(TorchFunctionMode):
    """Weights are not drawn: all of them are read from a file right after."""

    DRAWING = frozenset(
        name for name in dir(nn.init) if name.endswith(("uniform_", "normal_", "orthogonal_"))
    )

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if getattr(func, "__name__", "") in self.DRAWING:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def save(path: Path, trained: Trained) -> None:
    """Write a checkpoint, whole or not at all. CheckpointError if it cannot be written, as on a
    full disk; what was there is left as it was."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "config": trained.config.to_toml(),
        "input_shape": list(trained.input_shape),
        "classes": trained.classes,
        "content": trained.content,
        "metrics": dict(trained.metrics),
        "model": {k: v.detach().cpu() for k, v in trained.model.state_dict().items()},
        "state": dict(trained.state),
        "versions": versions(),
    }
    if trained.start is not None:
        content["start"] = trained.start.to_tensors()
    try:
        with written_whole(path) as part, part.open("wb") as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # torch's writer turns the first into the second
        inner = error.__context__ if isinstance(error.__context__, OSError) else error
        reason = " ".join(str(getattr(inner, "strerror", None) or inner).split())[:200]
        left = f"{path} is as it was before" if path.exists() else "nothing of it is left"
        raise CheckpointError(
            f"{path} cannot be written: {reason}; {left}. Make room and resume"
        ) from error


def load(path: Path) -> Trained:
    """The model of a checkpoint, in eval mode on the CPU.

    CheckpointError if the file is missing, damaged, not a checkpoint or of another model.
    """
    content = _content(Path(path))
    try:
        config = parse(content["config"], f"the settings in {path}")
        shape, classes = tuple(content["input_shape"]), int(content["classes"])
        start = Start.from_tensors(content["start"]) if "start" in content else None
        with Undrawn():
            model = fresh(config, shape, classes, start)
        weights = content["model"]
        if any(v.dtype == torch.float64 for v in weights.values()):
            model.double()
        model.load_state_dict(weights)
        about = dict(content["metrics"]), shape, classes, content["state"]
        heard: Content = content.get("content", "analogue")  # of files before it was kept
        trained = Trained(model.eval(), config, *about, start, heard)
    except ConfigError as error:
        raise CheckpointError(f"{path} is of another version: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, NetworkError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} does not hold the model it describes: {reason}") from error
    check_finite(model, str(path))
    return trained


def _content(path: Path) -> dict[str, Any]:
    """What the file holds, if it is a checkpoint at all."""
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}; `spikeport train` writes one")
    if not zipfile.is_zipfile(path):  # torch's own words would advise to run what it holds
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: it is of another kind, or cut short; give a "
            "best.ckpt, which `spikeport train` writes"
        )
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} cannot be read as a checkpoint: {reason}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not one of our checkpoints; give a best.ckpt")
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path} has version {content.get('version')}; version {VERSION} can be read"
        )
    return content


def check_finite(model: nn.Module, origin: str) -> None:
    """CheckpointError naming the first weight that is not a finite number."""
    for name, values in model.state_dict().items():
        if values.is_floating_point() and bool(torch.isfinite(values.sum())):
            continue  # one that is not finite would show in the sum
        wrong = int((~torch.isfinite(values)).sum())
        if wrong:
            raise CheckpointError(
                f"{origin}: {wrong} of {values.numel()} values of '{name}' are not finite "
                "numbers; take an earlier checkpoint"
            )


def trained_digest(model: nn.Module) -> str:
    """sha256 over all that was trained: parameters and buffers by name, with type, shape and
    bytes. The same on every device; the counters of batch norms are left out."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        flat = values.detach().cpu().contiguous()
        digest.update(f"{name}:{flat.dtype}:{list(flat.shape)}:".encode())
        digest.update(flat.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """What this was made with."""
    return {
        "spikeport": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
