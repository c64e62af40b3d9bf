"""The one place of export/ that knows torch and the trainer's layers: module -> Network."""

from .lower import lower

__all__ = ["lower"]
