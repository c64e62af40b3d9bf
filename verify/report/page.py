"""A verification as one self-contained HTML page."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ...core.errors import BackendUnavailable
from ..energy import models
from ..run import Verification
from .pictures import pictures
from .table import change, doubted, percent


def page(told: Mapping[str, Any], result: Verification) -> str:
    """HTML with its pictures inside. BackendUnavailable names the extra that is missing."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            "the HTML report needs jinja2: pip install 'spikeport[report]'"
        ) from error
    template = files(__package__).joinpath("page.html.j2").read_text(encoding="utf8")
    shown = {key: told[key] for key in ("network", "machine", "about")}
    used = {m["model"] for engine in told["engines"] for m in engine["energy"]}
    return (
        jinja2.Environment(autoescape=True)
        .from_string(template)
        .render(
            told=told,
            pictures=pictures(told, result),
            models=[m for m in models().values() if m.title in used],
            percent=percent,
            change=change,
            doubted=doubted(told),
            dumped=json.dumps(shown, indent=1),
        )
    )
