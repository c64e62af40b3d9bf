"""The one place of export/ that knows torch and the trainer's layers: module -> Network."""

from .lower import lower
from .start import start_of

__all__ = ["lower", "start_of"]
