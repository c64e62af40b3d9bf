"""Fine-tuning: what it asks of the settings, the checkpoint it goes on from, and the data."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from ..core.errors import CheckpointError, ConfigError
from ..core.settings import TrainConfig
from .checkpoint import Trained, load, trained_digest
from .data import DataSet
from .folder import flat
from .graph import GraphNet, Start


def origin(config: TrainConfig) -> tuple[TrainConfig, Trained]:
    """(the settings, resolved; the checkpoint that they go on from).

    Model and data are the checkpoint's where the settings do not speak of them. CheckpointError
    if they speak of another model, or the checkpoint holds other weights than they name.
    """
    assert config.finetune is not None
    path = Path(config.finetune.start)
    trained = load(path)
    changes: dict[str, object] = {}
    if "model" not in config.model_fields_set:
        changes["model"] = trained.config.model
    else:
        check_model(path, trained.config, config)
    if "data" not in config.model_fields_set:
        changes["data"] = trained.config.data
    digest = trained_digest(trained.model)
    if config.finetune.digest not in ("", digest):
        raise CheckpointError(
            f"{path} holds other weights than finetune.digest names: {digest[:12]}..., not "
            f"{config.finetune.digest[:12]}...; give the checkpoint that was meant, or leave "
            "finetune.digest out"
        )
    changes["finetune"] = config.finetune.model_copy(update={"digest": digest})
    return config.model_copy(update=changes), trained


def check_model(path: Path, theirs: TrainConfig, ours: TrainConfig) -> None:
    """CheckpointError naming the first setting in which a checkpoint's model is another one."""
    found, meant = (flat(c.model.model_dump(), "model.") for c in (theirs, ours))

    def telling(key: str) -> tuple[bool, str]:
        return key.rpartition(".")[2] not in ("name", "kind"), key

    for key in sorted(found.keys() | meant.keys(), key=telling):
        if found.get(key) != meant.get(key):
            raise CheckpointError(
                f"{path} is a checkpoint of another model: its {key} is {found.get(key)!r}, the "
                f"settings say {meant.get(key)!r}; leave [model] out, or give another checkpoint"
            )


def started(
    config: TrainConfig, last: Trained | None, start: Callable[[], Start] | None
) -> Start | None:
    """The graph that fine-tuning starts from; ConfigError if there is none, or none is meant."""
    if config.finetune is None:
        if start is not None:
            raise ConfigError("a start is given, but the settings have no section [finetune]")
        return None
    if last is not None:
        return last.start
    if start is None:
        raise ConfigError(
            "the settings have a section [finetune]: give its start to fit(..., start=...), as "
            "`spikeport train` does"
        )
    return start()


def check_fit(net: nn.Module, device: str, dataset: DataSet, config: TrainConfig) -> None:
    """Errors where a graph cannot be trained here, or not on this data."""
    if not isinstance(net, GraphNet):
        return
    (name,), (out,) = net.program.network.inputs, net.program.network.outputs
    takes, gives = net.program.shapes[name], net.program.shapes[out]
    if takes != dataset.shape or gives != (dataset.classes,):
        raise CheckpointError(
            f"the network to go on from takes samples of {list(takes)} and tells {list(gives)} "
            f"classes; {dataset.name} has {dataset.classes} of {list(dataset.shape)}"
        )
    if net.start.chip is None:
        return
    if config.run.precision not in ("32-true", "64-true"):
        raise ConfigError(
            f"run.precision is {config.run.precision!r}, which does not hold the chip's integers; "
            "take '32-true'"
        )
    if device == "mps":
        raise ConfigError("run.accelerator 'mps' has no float64, which the integers need; take cpu")
