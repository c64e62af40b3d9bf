"""Files that several verbs read: networks, arrays, data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from ...core.arrays import Numbers
    from ...core.network import Network
    from ...core.nodes import Input
    from ...core.settings import TrainConfig
    from ...core.store import Stated
    from ...trainer.data import DataSet

Dt = Annotated[float | None, typer.Option(help="seconds a step, where the file does not say")]
Reset = Annotated[
    Literal["value", "subtract"] | None, typer.Option(help="reset rule of a foreign file")
]
BackEdge = Annotated[
    Literal["bias", "nothing"] | None,
    typer.Option(help="what back edges carry at t = 0 in a foreign file"),
]
IfR = Annotated[
    Literal["step", "ode"] | None, typer.Option("--if-r", help="IF: v += r x, or v += r x dt")
]
CubaCurrent = Annotated[
    Literal["new", "old"] | None,
    typer.Option(help="CubaLIF: v uses this step's current, or the one before"),
]

Integrator = Annotated[
    Literal["forward_euler", "exponential"] | None,
    typer.Option(help="decays of a foreign file: 1 - dt / tau, or exp(-dt / tau)"),
]
InputContent = Annotated[
    Literal["analogue", "spikes"] | None,
    typer.Option(help="what the inputs of a foreign file bring; spikes go straight to a chip"),
]


def stated(
    dt: float | None,
    reset: Literal["value", "subtract"] | None,
    back_edge: Literal["bias", "nothing"] | None,
    if_r: Literal["step", "ode"] | None,
    cuba_current: Literal["new", "old"] | None,
    input_content: Literal["analogue", "spikes"] | None,
    integrator: Literal["forward_euler", "exponential"] | None,
) -> "Stated":
    """What the options say of a file."""
    from ...core.store import Stated

    if dt is not None and not dt > 0:
        raise ConfigError(f"--dt {dt}: a time step is a positive number of seconds")
    return Stated(dt, reset, back_edge, if_r, cuba_current, input_content, integrator)


def named_arrays(given: list[str], network: "Network") -> dict[str, "Numbers"]:
    """X.npy, or NODE=X.npy for each input -> Input node -> array."""
    from ...core.recording import load_array

    found: dict[str, Numbers] = {}
    for text in given:
        name, path = named_path(text)
        if not name:
            if len(network.inputs) > 1:
                raise DataError(
                    f"the network has the inputs {', '.join(network.inputs)}; say which one "
                    f"{text} is for: NODE={text}"
                )
            name = network.inputs[0]
        if name in found:
            raise DataError(f"input {name!r} is given twice")
        found[name] = load_array(path)
    return found


def named_path(text: str) -> tuple[str, Path]:
    """X.npy or NODE=X.npy -> (NODE or '', X.npy)."""
    name, equals, path = text.partition("=")
    return ("", Path(text)) if not equals or Path(text).exists() else (name, Path(path))


def paths(*given: list[str] | None) -> list[Path]:
    """The files of such options, which nothing may be written over."""
    return [named_path(text)[1] for texts in given for text in texts or ()]


def there(*files: Path) -> None:
    """DataError for the first file that is not."""
    for path in files:
        if not path.exists():
            raise DataError(f"no file {path}")


def data_set(name: str, node: "Input", settings: "TrainConfig | None") -> "DataSet":
    """A data set by name, by the folder that holds it, or by the path of an .npz file, as the
    Input hears it; an .npz may hold samples with a time axis, [N, T, *shape]. settings: of the
    training, whose encoder is used, and all else that it says of the data set of that name; None:
    there is none.

    DataError if samples have another shape, or are numbers where the Input hears spikes."""
    from ...trainer import data

    shape = node.shape
    if settings is not None and name == settings.data.name:
        found = data.named(settings.data)
    elif Path(name).is_dir():
        found = data.load("fashion-mnist", folder=name)
    else:
        found = data.load(name)
        still = settings is None or settings.data.encoder.kind == "direct"
        if still and name.endswith(".npz") and found.shape != shape == found.shape[1:]:
            found = data.load(name, temporal=True)
    if settings is not None:
        found = data.encoded(found, settings.data.encoder, settings.seed)
    if node.content == "spikes" and found.content != "spikes":
        raise DataError(
            f"{found.name} holds numbers, and the network hears spikes; give --against CHECKPOINT, "
            "whose settings say how they are encoded"
        )
    if found.shape != shape:
        raise DataError(
            f"{found.name} has samples of shape {list(found.shape)}; the network takes "
            f"{list(shape)}"
        )
    return found


def first(found: "DataSet", steps: int, samples: int) -> "Numbers":
    """Training samples for the quantiser [T, B, *shape], the first in file order; never the split
    that is reported."""
    return found.take(found.indices("train")[:samples], steps)[0]
