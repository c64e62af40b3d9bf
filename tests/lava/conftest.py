"""One warm worker for all tests of this folder that only run networks."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest

from spikeport.backends.lava.pool import Pool
from spikeport.backends.lava.session import FixedSession, FloatSession
from spikeport.core.network import Network
from spikeport.core.recording import Recording


class Lava:
    """Runs networks on the warm worker."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def run(
        self,
        network: Network,
        inputs: Mapping[str, Any],
        mode: str = "stepped",
        record: Collection[str] = ("all",),
    ) -> Recording:
        """The whole recording; the number format says which engine."""
        kind = FixedSession if network.number_format == "loihi" else FloatSession
        return kind(network, {}, self.pool, mode=mode).run(inputs, record)


@pytest.fixture(scope="session")
def lava() -> Iterator[Lava]:
    pool = Pool(1)
    yield Lava(pool)
    pool.close()
