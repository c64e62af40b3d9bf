"""What a whole process shares, asked for by several threads at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from threadpoolctl import ThreadpoolController

from spikeport.core.threads import Shared, limited, own


def test_the_first_makes_it_and_the_last_undoes_it() -> None:
    """Whichever of two blocks ends first."""
    told: list[str] = []

    @contextmanager
    def setting() -> Iterator[None]:
        told.append("made")
        yield
        told.append("undone")

    shared = Shared()
    one, other = shared.held(setting), shared.held(setting)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert told == ["made"]
    other.__exit__(None, None, None)
    assert told == ["made", "undone"]
    with pytest.raises(ValueError, match="inside"), shared.held(setting):
        raise ValueError("inside")
    assert told == ["made", "undone"] * 2


def test_products_have_their_threads_back() -> None:
    libraries = ThreadpoolController().select(user_api="blas")

    def numbers() -> set[int]:
        return {library["num_threads"] for library in libraries.info()}

    with libraries.limit(limits=2):
        one, other = limited(1), limited(1)
        one.__enter__()
        other.__enter__()
        one.__exit__(None, None, None)
        assert numbers() <= {1}
        other.__exit__(None, None, None)
        assert numbers() <= {2}


def test_a_number_of_ones_own() -> None:
    """While its thread goes on, later ones find what was there."""
    found: list[int] = []

    def later() -> None:
        found.append(torch.get_num_threads())

    def work() -> None:
        own(torch, 1)
        later()
        in_a_thread(later)

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        in_a_thread(work)
        in_a_thread(later)
        assert found == [1, 3, 3] and torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def in_a_thread(work: Callable[[], None]) -> None:
    """Until it is over."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
