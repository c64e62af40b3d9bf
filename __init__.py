"""spikeport: is the spiking network that runs over there still the one that was trained?

Public names are handed on lazily: importing spikeport costs neither torch nor numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core.version import __version__

if TYPE_CHECKING:
    from .backends.registry import get as backend
    from .core.network import Network
    from .core.recording import Recording
    from .core.store import Stated, digest, read, write
    from .export.from_torch import lower
    from .export.passes.base import run_passes
    from .export.recipes import FLOAT, PLAIN, TRAINABLE
    from .verify.prepare import prepare
    from .verify.run import Request, verify

PLACES = {
    "FLOAT": "export.recipes",
    "PLAIN": "export.recipes",
    "Network": "core.network",
    "Recording": "core.recording",
    "Request": "verify.run",
    "Stated": "core.store",
    "TRAINABLE": "export.recipes",
    "backend": "backends.registry:get",
    "digest": "core.store",
    "lower": "export.from_torch",
    "prepare": "verify.prepare",
    "read": "core.store",
    "run_passes": "export.passes.base",
    "verify": "verify.run",
    "write": "core.store",
}

__all__ = [
    "FLOAT",
    "PLAIN",
    "Network",
    "Recording",
    "Request",
    "Stated",
    "TRAINABLE",
    "__version__",
    "backend",
    "digest",
    "lower",
    "prepare",
    "read",
    "run_passes",
    "verify",
    "write",
]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name not in PLACES:
        raise AttributeError(f"module 'spikeport' has no attribute {name!r}")
    module, _, called = PLACES[name].partition(":")
    return getattr(import_module(f".{module}", __name__), called or name)


def __dir__() -> list[str]:
    return sorted(__all__)
