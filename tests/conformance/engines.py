"""The engines under test: one that is missing is a failure, or, where it is another library that
only its users install, a reason to skip."""

import pytest

from spikeport.backends import registry
from spikeport.backends.protocol import Backend
from spikeport.core.errors import BackendUnavailable


def got(name: str) -> Backend:
    """The engine of that name."""
    try:
        return registry.get(name)
    except BackendUnavailable as error:
        if registry.BUILT_IN[name].optional:
            pytest.skip(str(error))
        raise
