"""A committed experiment: examples/reproduce/NAME.toml.

Beside settings and [sweep] the file has

    [experiment]        title, paper, scaled (what is smaller here), figure
    [[paper_numbers]]   what = "...", value = "...", where = "table 3.1"
    [[claims]]          see `claims`
"""

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from ...core import config
from ...core.errors import ConfigError
from ...core.settings import Section
from .claims import AnyClaim

PACKAGE = "spikeport.examples"
FOLDER = "reproduce"
BESIDE = ("experiment", "paper_numbers", "claims")


class PaperNumber(Section):
    """One of the paper's own numbers, to stand beside ours."""

    what: str
    value: str
    where: str


class Figure(Section):
    """values: which are drawn, NAME, or NAME/ for NAME/1, NAME/2 ...; along: a key of the grid, or
    'step'; log: the axis."""

    values: tuple[str, ...] = ("accuracy",)
    along: str = ""
    log: bool = False


class About(Section):
    """The table [experiment]."""

    title: str
    paper: str
    scaled: str
    columns: tuple[str, ...] = ("accuracy",)
    figure: Figure = Figure()
    order: Literal["file", "value"] = "file"


class Contents(Section):
    """All that is ours in the file."""

    experiment: About
    paper_numbers: tuple[PaperNumber, ...] = ()
    claims: tuple[AnyClaim, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """name: of the file; text: all of it, for the sweep."""

    name: str
    text: str
    contents: Contents

    @property
    def origin(self) -> str:
        """What to call it in errors."""
        return f"examples/{FOLDER}/{self.name}.toml"


def names() -> tuple[str, ...]:
    """All experiments."""
    folder = importlib.resources.files(PACKAGE) / FOLDER
    found = (entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return tuple(sorted(name.removesuffix(".toml") for name in found))


def experiment(name: str) -> Experiment:
    """The experiment of that name. ConfigError if there is none."""
    if name not in names():
        raise ConfigError(f"there is no experiment {name!r}; give one of {', '.join(names())}")
    folder = importlib.resources.files(PACKAGE) / FOLDER
    return parse(name, (folder / f"{name}.toml").read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Experiment:
    """An experiment from its text."""
    raw = config.tables(text, name)
    ours = {key: raw[key] for key in BESIDE if key in raw}
    try:
        contents = Contents.model_validate(_tuples(ours))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"experiment {name}: {key}: {first['msg'].lower()}") from error
    return Experiment(name, text, contents)


def _tuples(value: object) -> object:
    if isinstance(value, dict):
        return {name: _tuples(v) for name, v in value.items()}
    return (
        tuple(_tuples(v) for v in value)
        if isinstance(value, Sequence | list) and not isinstance(value, str)
        else value
    )
