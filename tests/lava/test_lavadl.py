"""lava-dl's .net files on Lava, through our own processes' plan: what netx records there."""

import pytest

from ..core.lavadl import NAMES, holds, network, recorded
from .conftest import Lava


@pytest.mark.parametrize("name", NAMES)
def test_lava_is_netx(lava: Lava, name: str) -> None:
    holds(name, lava.run(network(name), {"input": recorded(name)["x"]}))
