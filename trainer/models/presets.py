"""The papers' architectures by name: presets.toml, read and validated."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ...core import config
from ...core.errors import ConfigError
from ...core.settings import AnyNet
from ...core.settings.toml import toml_lines


@dataclass(frozen=True)
class Preset:
    """paper: what it says, and where; ours: what we chose where it is silent; input, classes:
    the paper's; model: the settings."""

    name: str
    paper: str
    ours: str
    input: tuple[int, ...]
    classes: int
    model: AnyNet


@cache
def _read() -> dict[str, Any]:
    text = (files(__package__) / "presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def names() -> tuple[str, ...]:
    """All presets, in the order of the papers."""
    return tuple(_read())


def preset(name: str, overrides: tuple[str, ...] = ()) -> Preset:
    """The preset of that name; overrides: `model.KEY=value`. ConfigError if there is none."""
    if name not in _read():
        raise ConfigError(f"there is no architecture {name!r}; give one of {', '.join(names())}")
    found = _read()[name]
    wrong = [o for o in overrides if not o.strip().startswith("model.")]
    if wrong:
        raise ConfigError(f"--set {wrong[0]}: only keys of the model can be set, as model.channels")
    tables = {"model": found["model"], "data": _steps(found["model"], overrides)}
    settings = config.parse("\n".join(toml_lines(tables)), f"architecture {name}", overrides)
    about = {key: found[key] for key in ("paper", "ours", "classes")}
    return Preset(name, input=tuple(found["input"]), model=settings.model, **about)


def _steps(model: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """Settings must agree on T where a norm counts steps."""
    given = [o.partition("=")[2] for o in overrides if o.startswith("model.norm_steps")]
    steps = int(given[-1]) if given and given[-1].strip().isdigit() else model.get("norm_steps")
    return {"steps": steps} if steps else {}
