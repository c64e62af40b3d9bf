"""A sweep's file: settings as for one run, and a table [sweep] that says how they vary.

[sweep.grid]                        every value of every key with every other
seed = [0, 1, 2]
"train.lr" = [1e-3, 1e-2]

[[sweep.cases]]                     instead of, or beside, a grid: keys that change together
name = "deep"
set = { "model.blocks" = 26 }

[sweep.measure]                     see `measures`
rates = true
"""

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ...core import config
from ...core.errors import ConfigError
from ...core.settings import Section, TrainConfig

SEED, CASE = "seed", "case"


class Case(Section):
    """Keys that change together."""

    name: Annotated[str, Field(pattern=r"^[\w.+-]+$")]
    set: dict[str, Any]


class Measure(Section):
    """What is measured of every trained cell, on the test split."""

    rates: bool = False  # spikes of every layer
    steps: Annotated[int, Field(ge=0)] = 0  # accuracy after each of so many steps; 0: not
    losses: bool = False  # both losses of TET's paper
    sharpness: Annotated[float, Field(ge=0)] = 0.0  # radius, filter-normalised; 0: not
    samples: Annotated[int, Field(ge=0)] = 0  # of the split; 0: all
    # accuracy that a run counts with whose loss, gradient or weights overflow; None: it failed
    overflow: Annotated[float, Field(ge=0, le=1)] | None = None


class Sweep(Section):
    """The table [sweep]."""

    grid: dict[str, tuple[Any, ...]] = {}
    cases: tuple[Case, ...] = ()
    measure: Measure = Measure()


@dataclass(frozen=True)
class Cell:
    """One run. case: '' where there are none; varied: its place in the grid, key -> value."""

    case: str
    varied: Mapping[str, Any]
    config: TrainConfig

    @property
    def folder(self) -> str:
        """Its name: a readable part, and a digest of the settings but for where and how they are
        computed."""
        told = self.config.model_dump(mode="json", exclude={"run"})
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.case or 'cell'}-{digest}"

    def label(self) -> str:
        """What tells it from the others, without the seed."""
        return " ".join(v if k == CASE else f"{k}={v}" for k, v in self.keys().items()) or "all"

    def keys(self) -> dict[str, Any]:
        """Case and place in the grid, without the seed."""
        case = {CASE: self.case} if self.case else {}
        return case | {k: v for k, v in self.varied.items() if k != SEED}


@dataclass(frozen=True)
class Plan:
    """All cells of a sweep, in the file's order."""

    cells: tuple[Cell, ...]
    measure: Measure

    def groups(self) -> dict[str, list[Cell]]:
        """label -> its cells, one a seed."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            found.setdefault(cell.label(), []).append(cell)
        return found


def read(path: Path, overrides: Sequence[str] = (), beside: Sequence[str] = ()) -> Plan:
    """The plan in a file. overrides: `key=value` for every cell, or `sweep.grid.KEY=[...]`;
    beside: other tables of the file. ConfigError in one line where it has no meaning."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the sweep {path}: {error}") from error
    return parse(text, str(path), overrides, beside)


def parse(
    text: str, origin: str, overrides: Sequence[str] = (), beside: Sequence[str] = ()
) -> Plan:
    """The plan in TOML text."""
    about = config.tables(text, origin).get("sweep")
    if not isinstance(about, dict):
        raise ConfigError(f"{origin} has no table [sweep]; `spikeport train` takes one run")
    ours = [o for o in overrides if o.startswith("sweep.")]
    sweep = _sweep(_changed(about, ours), origin)
    others = [o for o in overrides if not o.startswith("sweep.")]
    cells = []
    for case in sweep.cases or (None,):
        for values in itertools.product(*sweep.grid.values()):
            varied = dict(zip(sweep.grid, values, strict=True))
            whole = {**(case.set if case else {}), **varied}
            given = [*others, *(f"{key}={_toml(value)}" for key, value in whole.items())]
            made = config.parse(text, origin, given, ("sweep", *beside))
            cells.append(Cell(case.name if case else "", varied, made))
    _different(cells, origin)
    return Plan(tuple(cells), sweep.measure)


def _sweep(about: dict[str, Any], origin: str) -> Sweep:
    """The validated table."""
    try:
        sweep = Sweep.model_validate(_tuples(about))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, ("sweep", *first["loc"])))
        raise ConfigError(f"{origin}: {key}: {first['msg'].lower()}") from error
    empty = [key for key, values in sweep.grid.items() if not values]
    if empty:
        raise ConfigError(f"{origin}: sweep.grid.{empty[0]} has no values; give at least one")
    if not sweep.grid and not sweep.cases:
        raise ConfigError(f"{origin}: [sweep] has neither a grid nor cases; give one of them")
    names = [case.name for case in sweep.cases]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(f"{origin}: two cases of [sweep] are named {twice[0]!r}")
    for case in sweep.cases:
        if both := sorted(case.set.keys() & sweep.grid.keys()):
            raise ConfigError(
                f"{origin}: case {case.name!r} and sweep.grid both set {both[0]}; say it in one"
            )
    return sweep


def _changed(about: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The table with `sweep.grid.KEY=VALUES`, `sweep.measure.KEY=VALUE` in it."""
    changed = {k: dict(v) if isinstance(v, dict) else v for k, v in about.items()}
    for override in overrides:
        name, _, value = override.removeprefix("sweep.").partition("=")
        table, _, key = name.partition(".")
        if table not in ("grid", "measure") or not key or not value:
            raise ConfigError(f"--set {override}: give sweep.grid.KEY=[...] or sweep.measure.KEY=")
        found = config.tables(f"value = {value}", f"--set {override}")["value"]
        changed.setdefault(table, {})[key.strip("\"'")] = found
    return changed


def _different(cells: list[Cell], origin: str) -> None:
    """ConfigError if two cells are the same run, or would share a folder."""
    seen: dict[str, Cell] = {}
    for cell in cells:
        if (other := seen.get(cell.folder)) is not None:
            same = other.config.to_toml() == cell.config.to_toml()
            raise ConfigError(
                f"{origin}: cells {other.label()!r} and {cell.label()!r}, seed {cell.config.seed}, "
                + ("are the same run" if same else "differ in [run] alone, which no sweep varies")
            )
        seen[cell.folder] = cell


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(v) for name, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _toml(value: Any) -> str:
    """A value as `--set` takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return repr(value)
