"""What a run is at the end of an epoch: enough to go on from, and to report."""

from typing import TYPE_CHECKING, Any

import torch

from ..core.errors import CheckpointError
from . import checkpoint
from .checkpoint import Metrics, Trained
from .stages import cost

if TYPE_CHECKING:
    from .loop import Run


def state(run: "Run") -> dict[str, Any]:
    """What it takes to go on from here; the generators follow from the epoch."""
    return {
        "epoch": run.epoch,
        "seconds": run.seconds,
        "best": run.best,
        "optimiser": run.optimiser.state_dict(),
        "precision": run.fabric.strategy.precision.state_dict(),
    }


def restore(run: "Run", last: Trained) -> None:
    """Go on from there. CheckpointError if it is no such point, or of other data."""
    if not last.state:
        raise CheckpointError(f"{run.out / 'last.ckpt'} is no point to go on from")
    if (last.input_shape, last.classes) != (run.dataset.shape, run.dataset.classes):
        raise CheckpointError(
            f"{run.out} was begun on {last.classes} classes of {list(last.input_shape)}; "
            f"{run.dataset.name} has {run.dataset.classes} of {list(run.dataset.shape)}"
        )
    run.net.load_state_dict(last.model.state_dict())
    run.optimiser.load_state_dict(last.state["optimiser"])
    run.fabric.strategy.precision.load_state_dict(last.state["precision"])
    run.epoch, run.seconds = last.state["epoch"], last.state["seconds"]
    run.best = last.state["best"]


def facts(run: "Run") -> Metrics:
    """How it was trained, for metrics.json; the net holds the best weights."""
    doubts = run.start.doubts if run.start is not None else ()
    return {
        **({"doubts": "; ".join(doubts)} if doubts else {}),
        "epochs": run.epoch,
        "step_epochs": cost(run.phases),
        "seconds": round(run.seconds, 3),
        "parameters": sum(p.numel() for p in run.net.parameters()),
        "seed": run.config.seed,
        "threads": torch.get_num_threads(),
        "processes": run.fabric.world_size,
        "digest": checkpoint.trained_digest(run.net),
        **checkpoint.versions(),
    }
