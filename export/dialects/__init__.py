"""NIR files of other libraries -> Network: what each exporter distorts, undone. Imports none of
them: what they write was read in their source and held against them (tests/data/dialects)."""

from .imported import Imported, load
from .table import DIALECTS

__all__ = ["DIALECTS", "Imported", "load"]
