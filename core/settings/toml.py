"""Settings written as TOML."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def toml_lines(table: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """What it is, its other values, then the tables in it."""
    for name, value in sorted(table.items(), key=lambda item: item[0] not in ("name", "kind")):
        if not isinstance(value, dict):
            yield f"{name} = {toml_value(value)}"
    for name, value in table.items():
        if isinstance(value, dict):
            yield ""
            yield f"[{prefix}{name}]"
            yield from toml_lines(value, f"{prefix}{name}.")


def toml_value(value: Any) -> str:
    """One value as it stands behind the equals sign."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return repr(value)
