"""One TOML file -> validated, frozen settings of a training run. Knows no torch.

Unknown keys are refused with the nearest right name, and every complaint names the file and line
(or the `--set`) that it is about. `load` reads a file with overrides such as `train.lr=0.01`;
`TrainConfig.to_toml` writes the resolved settings back.
"""

import difflib
import re
import tomllib
import types
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .errors import ConfigError
from .settings import ConvNet, Lif, Section, TrainConfig

__all__ = ["TrainConfig", "load", "parse"]


def load(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The settings in a TOML file, each `key=value` of overrides in place of the file's.

    ConfigError, in one line, where the file or an override has no meaning.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {path}: {error}") from error
    return parse(text, str(path), overrides)


def parse(
    text: str,
    origin: str = "settings",
    overrides: Sequence[str] = (),
    beside: Collection[str] = (),
) -> TrainConfig:
    """The settings in TOML text; origin: what to call it in errors; beside: tables of the file
    that are somebody else's."""
    raw = {name: value for name, value in tables(text, origin).items() if name not in beside}
    places = {key: f"{origin}:{line}" for key, line in _lines(text)}
    for override in overrides:
        key = _override(raw, override)
        places[key] = f"--set {override}"
    if isinstance(raw.get("model"), dict):
        raw["model"].setdefault("name", ConvNet().name)
        if isinstance(raw["model"].get("neuron"), dict):
            raw["model"]["neuron"].setdefault("kind", Lif().kind)
    try:
        return TrainConfig.model_validate(_tuples(raw))
    except ValidationError as error:
        raise ConfigError(_complaint(error, raw, places, origin)) from error


def tables(text: str, origin: str = "settings") -> dict[str, Any]:
    """TOML as it stands; ConfigError if it is none."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not TOML: {error}") from error


def _override(raw: dict[str, Any], override: str) -> str:
    """Set one `key=value` in the raw table; returns the key."""
    key, equals, value = (part.strip() for part in override.partition("="))
    if not equals or not all(key.split(".")):
        raise ConfigError(f"--set {override} says nothing; give key=value, as in train.lr=0.01")
    *path, last = key.split(".")
    table = raw
    for name in path:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {override}: '{name}' is a value, not a section")
    table[last] = _value(value)
    return key


def _value(text: str) -> Any:
    """A TOML value; a bare word is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _tuples(value: Any) -> Any:
    """Arrays as tuples, which cannot be changed."""
    if isinstance(value, dict):
        return {name: _tuples(v) for name, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """(dotted key, line) of every table and every plain `key = value` line."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([\w.\s\"'-]+)\]", line):
            section = re.sub(r"[\s\"']", "", header[1]) + "."
            yield section[:-1], number
        elif found := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            yield section + re.sub(r"[\"']", "", found[1]), number


# --- complaining -------------------------------------------------------------------------------


def _complaint(
    error: ValidationError, raw: Mapping[str, Any], places: Mapping[str, str], origin: str
) -> str:
    """One line on the first thing that is wrong: place, key, value, limit."""
    first = error.errors(include_url=False)[0]
    path, value = _located(first["loc"], raw)
    key = ".".join(path)
    place = _place(path, places, origin)
    if first["type"] == "extra_forbidden":
        return f"{place}: unknown key '{key}'{_nearest(key, raw)}"
    if first["type"] == "union_tag_invalid":
        tag = first["ctx"]["discriminator"].strip("'")
        known = first["ctx"]["expected_tags"].replace("'", "")
        if not isinstance(value, Mapping):  # its name alone stands for the section
            return f"{place}: {key} is {value!r}; it must be one of {known}"
        place = places.get(f"{key}.{tag}", place)
        return f"{place}: {key}.{tag} is {value[tag]!r}; it must be one of {known}"
    if first["type"] == "value_error":  # one of ours, which begins with the name of the key
        reason = first["msg"].removeprefix("Value error, ")
        told = ".".join([*path, reason])
        return f"{_place([*path, reason.split()[0]], places, origin)}: {told}"
    reason = re.sub(r"^(Input|Tuple) should", "it must", first["msg"])
    for said, meant in (("valid tuple", "list"), ("valid dictionary.*", "section")):
        reason = re.sub(said, meant, reason)
    return f"{place}: {key} is {value!r}; {reason[0].lower()}{reason[1:]}"


def _located(location: Sequence[int | str], raw: Mapping[str, Any]) -> tuple[list[str], Any]:
    """(path, value) in the file of pydantic's location, which also names the kinds chosen."""
    path: list[str] = []
    value: Any = raw
    for step in location:
        inside = isinstance(value, dict) and step in value
        listed = isinstance(value, list | tuple) and isinstance(step, int)
        if inside or (listed and isinstance(value[step], dict)):  # a table of a list of tables
            path.append(str(step))
            value = value[step]
    return path, value


def _place(path: Sequence[str], places: Mapping[str, str], origin: str) -> str:
    """Where the key was written: itself, else something in it, else the table around it."""
    key = ".".join(path)
    inside = [place for name, place in places.items() if name.startswith(f"{key}.")]
    around = [".".join(path[:end]) for end in range(len(path) - 1, 0, -1)]
    outside = [places[name] for name in around if name in places]
    return next(iter([*([places[key]] if key in places else []), *inside, *outside]), origin)


def _nearest(key: str, raw: Mapping[str, Any]) -> str:
    """What may have been meant by a key that does not exist."""
    around, _, last = key.rpartition(".")
    known = list(_keys(TrainConfig, raw, ""))
    beside = [k for k in known if around and k.rpartition(".")[0] == around]
    names = [k.rpartition(".")[2] for k in beside]
    if kind := _other_kind(around.split("."), last, raw):
        return f", which does not go with {kind}; there are {', '.join(beside)}"
    if close := difflib.get_close_matches(last, names, 1, 0.6):
        return f"; did you mean '{around}.{close[0]}'?"
    elsewhere = difflib.get_close_matches(last, [k.rpartition(".")[2] for k in known], 1, 0.8)
    if elsewhere:
        return f"; did you mean '{next(k for k in known if k.endswith('.' + elsewhere[0]))}'?"
    sections = difflib.get_close_matches(key, TrainConfig.model_fields, 1, 0.6)
    if sections:
        return f"; did you mean '{sections[0]}'?"
    return "; there are " + ", ".join(beside or TrainConfig.model_fields)


def _other_kind(path: Sequence[str], name: str, raw: Any) -> str:
    """'section.kind = ...' if another kind of that section has a key of this name, else ''."""
    annotation: Any = TrainConfig
    section: type[BaseModel] | None = TrainConfig
    for step in path:
        if section is None or step not in section.model_fields:
            return ""
        field, raw = section.model_fields[step], raw.get(step)
        annotation, section = field.annotation, _chosen(field.annotation, raw, field.default)
    for tag in ("name", "kind"):
        if isinstance(raw, Mapping) and tag in raw:
            if any(name in option.model_fields for option in get_args(annotation)):
                return f"{'.'.join(path)}.{tag} = {raw[tag]!r}"
    return ""


def _keys(section: type[BaseModel], raw: Any, prefix: str) -> Iterator[str]:
    """Every dotted key that exists, given the kinds that raw chooses."""
    for name, field in section.model_fields.items():
        inner = raw.get(name) if isinstance(raw, Mapping) else None
        chosen = _chosen(field.annotation, inner, field.default)
        if chosen is None:
            yield prefix + name
        else:
            yield from _keys(chosen, inner, f"{prefix}{name}.")


def _chosen(annotation: Any, raw: Any, default: Any) -> type[BaseModel] | None:
    """The section that a field holds, or None if it holds a value."""
    if get_origin(annotation) in (Union, types.UnionType):
        options = [option for option in get_args(annotation) if option is not types.NoneType]
        if default is None:  # a section that is there only where it is asked for
            return options[0]  # type: ignore[no-any-return]
        for option in options:
            for tag in ("name", "kind"):
                if tag in option.model_fields and isinstance(raw, Mapping) and tag in raw:
                    if option.model_fields[tag].default == raw[tag]:
                        return option  # type: ignore[no-any-return]
        return type(default)
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None
