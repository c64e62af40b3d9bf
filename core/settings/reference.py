"""The settings told in tables, drawn from the schema itself."""

import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MinLen
from pydantic.fields import FieldInfo

from .base import Section
from .toml import toml_value
from .whole import TrainConfig

Kind: TypeAlias = type[Section]


@dataclass(frozen=True)
class Key:
    """One key of a table: what may stand there, what stands there if nothing is said."""

    name: str
    values: str
    default: str
    about: str


@dataclass(frozen=True)
class Table:
    """One table of the file. choice: the key that picks it and its value, as kind = 'lif'; '' if
    there is nothing to pick."""

    name: str
    choice: str
    about: str
    keys: tuple[Key, ...]


def tables() -> tuple[Table, ...]:
    """All of them, in the order of the file."""
    found: dict[tuple[str, str], Table] = {}
    for table in _section("", TrainConfig):
        found.setdefault((table.name, table.choice), table)  # a part of several kinds: once
    return tuple(found.values())


def as_markdown(found: tuple[Table, ...]) -> str:
    """The page docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Every table and key of a training run's TOML file. `spikeport settings --write "
        "docs/settings.md` wrote this page;",
        "`spikeport settings TABLE` prints a part of it. `--set train.lr=0.01` takes the place of "
        "what the file says. An",
        "unknown key is refused, with the nearest one that there is.",
    ]
    for table in found:
        lines += ["", f"## {title(table)}", "", table.about]
        if table.keys:
            lines += ["", "| key | values | default | about |", "|---|---|---|---|"]
        for key in table.keys:
            cells = (f"`{key.name}`", key.values, f"`{key.default}`", key.about)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def title(table: Table) -> str:
    """As it stands in the file, and when."""
    name = f"[{table.name}]" if table.name else "top of the file"
    return f"{name}, {table.choice}" if table.choice else name


# --- walking the schema ------------------------------------------------------------------------


def _section(name: str, kind: Kind, choice: str = "", leave: frozenset[str] = frozenset()) -> Any:
    """The table of a section, then those inside of it. leave: keys that were told before."""
    keys, inner = [], []
    for key, field in kind.model_fields.items():
        if key in leave:
            continue
        place = f"{name}.{key}" if name else key
        options = sections(field)
        if options:
            inner.append((place, field, options))
            if not _is_usual(field, options):
                keys.append(Key(key, f"table `[{place}]`", shown(field), ""))
        elif not choice or f"{key} = " not in choice:
            keys.append(Key(key, values(field), shown(field), _line(field.description)))
    yield Table(name, choice, _line(kind.__doc__), tuple(keys))
    for place, field, options in inner:
        yield from _options(place, field, options)


def _options(name: str, field: FieldInfo, options: tuple[Kind, ...]) -> Iterator[Table]:
    """A table that is of one kind, or of one of several."""
    picked = field.discriminator
    if len(options) == 1:
        listed = " (an array of tables)" if _is_array(field) else ""
        yield from _section(name, options[0], listed.strip(" ()"))
        return
    assert isinstance(picked, str)
    common = _common(options)
    owner = _owner(options)
    if common and owner:
        every = f"whatever {picked} is"
        keys = [
            Key(key, values(f), shown(f), _line(f.description))
            for key in sorted(common, key=list(owner.model_fields).index)
            if not sections(f := owner.model_fields[key])
        ]
        yield Table(name, every, _line(owner.__doc__), tuple(keys))
        for key in owner.model_fields:
            if key in common and (inside := sections(f := owner.model_fields[key])):
                yield from _options(f"{name}.{key}", f, inside)
    for option in options:
        value = option.model_fields[picked].default
        yield from _section(name, option, f"{picked} = {toml_value(value)}", common)


def _owner(options: tuple[Kind, ...]) -> Kind | None:
    """The nearest class that all of them come from; None: Section alone."""
    first, *others = options
    shared = [
        base
        for base in first.__mro__
        if issubclass(base, Section) and all(issubclass(other, base) for other in others)
    ]
    return shared[0] if shared and shared[0] is not Section else None


def _common(options: tuple[Kind, ...]) -> frozenset[str]:
    """Keys that all options have from the class they come from, unchanged."""
    owner = _owner(options)
    if owner is None:
        return frozenset()
    return frozenset(
        key
        for key, field in owner.model_fields.items()
        if all(_same(option.model_fields[key], field) for option in options)
    )


def _same(one: FieldInfo, other: FieldInfo) -> bool:
    return one.annotation == other.annotation and one.default == other.default


def sections(field: FieldInfo) -> tuple[Kind, ...]:
    """The kinds of table that a field may be; none if it is a plain value."""
    return tuple(dict.fromkeys(_sections(field.annotation)))


def _sections(kind: Any) -> Iterator[Kind]:
    if isinstance(kind, type) and issubclass(kind, Section):
        yield kind
    elif get_origin(kind) is not Literal:
        for part in get_args(kind):
            yield from _sections(part)


def _is_usual(field: FieldInfo, options: tuple[Kind, ...]) -> bool:
    """Whether a table that is left out has the defaults that its own keys say."""
    if field.is_required() or field.default in (None, ()) or len(options) > 1:
        return True
    return bool(field.default == options[0]())


def _is_array(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


# --- what may stand there ----------------------------------------------------------------------

WORDS = {int: "whole number", float: "number", str: "text", bool: "true, false"}


def values(field: FieldInfo) -> str:
    """What a plain value may be, in words."""
    return _values(field.annotation, field.metadata)


def _values(kind: Any, limits: Any = ()) -> str:
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _values(parts[0], parts[1:])
    if origin is Literal:
        return ", ".join(f"`{toml_value(part)}`" for part in parts)
    if origin is tuple:
        return f"array of {_values(parts[0])}"
    if origin in (Union, types.UnionType):
        return " or ".join(_values(part) for part in parts if part is not type(None))
    said = "; ".join(text for limit in _flat(limits) if (text := _limit(limit)))
    return f"{WORDS[kind]} {said}".strip()


def _flat(limits: Any) -> Iterator[Any]:
    """Limits, those inside of a Field or an Interval too."""
    for limit in limits:
        if isinstance(limit, FieldInfo):
            yield from _flat(limit.metadata)
        elif isinstance(limit, Interval):
            yield from limit
        else:
            yield limit


def _limit(limit: Any) -> str:
    match limit:
        case Ge():
            return f">= {limit.ge}"
        case Gt():
            return f"> {limit.gt}"
        case Le():
            return f"<= {limit.le}"
        case Lt():
            return f"< {limit.lt}"
        case MinLen() | Len():
            return ""
    return ""


def shown(field: FieldInfo) -> str:
    """The default as TOML; 'none' where there is nothing."""
    if field.is_required():
        return "needed"
    given = field.default
    if isinstance(given, Section):
        given = given.model_dump(exclude_defaults=True)
    return "none" if given is None else toml_value(given)


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
