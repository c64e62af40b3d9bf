"""The processes of a run, as Lightning Fabric starts them."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_fabric import Fabric

from ..core.errors import ConfigError, SpikeportError, TrainingError
from ..core.settings import TrainConfig
from .monitor import loggers
from .sound import last_good

LOST = ("closed by peer", "reset by peer", "Failed to recv", "Connection refused", "Broken pipe")


def processes(config: TrainConfig, out: Path) -> Fabric:
    """Fabric with all its processes started. ConfigError if there are no such devices."""
    logs, count = loggers(config.run, out), config.run.devices * config.run.nodes
    if config.train.batch % count:
        raise ConfigError(
            f"train.batch is {config.train.batch} for {count} processes; give a multiple"
        )
    try:
        warnings.filterwarnings("ignore", "You passed .* AMP with fp16")  # see check_precision
        fabric = Fabric(
            accelerator=config.run.accelerator,
            devices=config.run.devices,
            num_nodes=config.run.nodes,
            strategy=config.run.strategy,
            precision=config.run.precision,
            loggers=logs,
        )
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"the settings under [run] cannot be met here: {reason}") from error
    fabric.launch()
    return fabric


def check_precision(fabric: Fabric, config: TrainConfig) -> None:
    """ConfigError for float16 on a CPU, where Fabric would take bfloat16 in its place."""
    if config.run.precision == "16-mixed" and fabric.device.type == "cpu":
        raise ConfigError(
            "run.precision is '16-mixed', which a CPU does not have; take 'bf16-mixed', or train "
            "on a GPU"
        )


def together(fabric: Fabric, act: Callable[[], None]) -> None:
    """Do something in the leading process; what fails there is raised in all, none of which waits
    for the others then."""
    failure: SpikeportError | OSError | None = None
    if fabric.is_global_zero:
        try:
            act()
        except (SpikeportError, OSError) as error:
            failure = error
    kind = type(failure) if isinstance(failure, SpikeportError) else TrainingError
    told = fabric.broadcast(None if failure is None else (kind, str(failure)))
    if failure is not None:
        raise failure
    if told is not None:
        kind, text = told
        raise kind(text)


@contextmanager
def among_others(out: Path) -> Iterator[None]:
    """TrainingError where another process of the run is gone, were it killed."""
    try:
        yield
    except RuntimeError as error:  # torch's, of whatever carries the messages
        if not any(words in str(error) for words in LOST):
            raise
        raise TrainingError(
            f"another process of this run has ended; {last_good(out)}. Resume when it is known why"
        ) from error


def follows() -> bool:
    """Whether another process of the run speaks for it."""
    from lightning_fabric.utilities.rank_zero import rank_zero_only

    return bool(getattr(rank_zero_only, "rank", 0))
