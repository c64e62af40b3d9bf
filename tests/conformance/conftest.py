"""One Lava worker for all cases of this folder: to start one takes longer than to run a case."""

from collections.abc import Iterator

import pytest

from spikeport.backends.lava import engines
from spikeport.backends.lava.pool import Pool


@pytest.fixture(scope="session")
def kept() -> Iterator[type[Pool]]:
    """Pools of the same worker for every session, which outlives it."""
    shared = Pool(1)

    class Kept(Pool):
        def __init__(self, workers: int) -> None:
            self.desks = shared.desks

        def close(self) -> None:
            """The last session's end is the tests'."""

    yield Kept
    shared.close()


@pytest.fixture(autouse=True)
def one_worker(kept: type[Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    """In this folder alone: other tests hold a worker to its end."""
    monkeypatch.setattr(engines, "Pool", kept)
