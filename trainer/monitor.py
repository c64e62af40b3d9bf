"""What one sees of a training run: a bar with the time left, and log files."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_fabric.loggers.csv_logs import CSVLogger
from lightning_fabric.loggers.logger import Logger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..core.errors import ConfigError
from ..core.settings import Run

Tell = Callable[[int, str], None]  # (steps done, what to say)


@contextmanager
def progress(total: int, shown: bool) -> Iterator[Tell]:
    """A bar over all steps of a run, on a terminal; elsewhere nothing is printed."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    quiet = not (shown and console.is_terminal)
    with Progress(*columns, console=console, disable=quiet) as bars:
        task = bars.add_task("training", total=total)
        yield lambda done, text: bars.update(task, completed=done, description=text)


def loggers(run: Run, out: Path) -> list[Logger]:
    """The loggers asked for; each start of a run gets a folder version_N of its own."""
    made: list[Logger] = []
    if "csv" in run.loggers:
        made.append(CSVLogger(out / "logs", name="csv"))
    if "tensorboard" in run.loggers:
        if importlib.util.find_spec("tensorboard") is None:
            raise ConfigError(
                "run.loggers asks for tensorboard, which is not installed: "
                "pip install 'spikeport[train]', or --set run.loggers=['csv']"
            )
        made.append(TensorBoardLogger(out / "logs", name="tensorboard"))
    return made
