"""The top floor: run a network on many engines and say whether it is still the same network."""

import sys
from types import ModuleType
from typing import Any


class _Verify(ModuleType):
    """`spikeport.verify(...)` is a call, and Python binds the subpackage to the same name."""

    def __call__(self, *given: Any, **named: Any) -> Any:
        """See run.verify."""
        from .run import verify

        return verify(*given, **named)


sys.modules[__name__].__class__ = _Verify
