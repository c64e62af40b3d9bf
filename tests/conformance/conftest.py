"""One Lava worker for all cases of this folder: to start one takes longer than to run a case."""

from collections.abc import Iterator

import pytest

from spikeport.backends.lava import engines
from spikeport.backends.lava.pool import Pool


@pytest.fixture(scope="session", autouse=True)
def one_worker() -> Iterator[None]:
    shared = Pool(1)

    class Kept(Pool):
        """The same worker for every session, which outlives it."""

        def __init__(self, workers: int) -> None:
            self.desks = shared.desks

        def close(self) -> None:
            """The last session's end is the tests'."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "Pool", Kept)
        yield
    shared.close()
