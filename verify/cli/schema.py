"""spikeport schema: what our .nir files say beyond NIR, as a JSON Schema."""

from pathlib import Path
from typing import Annotated

import typer

from .base import fresh, say, tell


def schema(
    write: Annotated[Path | None, typer.Option(help="write it to a file")] = None,
) -> None:
    """The JSON Schema of the text under metadata["spikeport"]."""
    from ...core import metadata_schema

    if write is None:
        return tell(metadata_schema.schema())
    fresh(write).write_text(metadata_schema.text(), encoding="utf-8")
    say(f"written to {write}")
