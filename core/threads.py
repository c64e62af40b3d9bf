"""Settings of a whole process that several of its threads may want at once, and the wait for work
that must not be left alone."""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from threading import Lock
from typing import Any


class Shared:
    """A setting that whoever comes first makes, and whoever leaves last undoes. If each put back
    what it had found, one would take it from the others, or leave another's for good."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.inside = 0
        self.made: AbstractContextManager[Any]

    @contextmanager
    def held(self, make: Callable[[], AbstractContextManager[Any]]) -> Iterator[None]:
        """The setting inside the block; make: how, for whoever comes first."""
        with self.lock:
            if not self.inside:
                self.made = make()
                self.made.__enter__()
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    self.made.__exit__(None, None, None)


_products = Shared()
_torch = Lock()


def limited(count: int) -> AbstractContextManager[None]:
    """So many threads for numpy's products inside the block, if they can be told. Of blocks that
    go on at once, the first one's number."""
    found = libraries()
    if found is None:
        return nullcontext()
    return _products.held(lambda: found.limit(limits=count, user_api="blas"))


@cache
def libraries() -> Any:
    """numpy's libraries of products, which have threads of their own; None if nothing is there
    that can tell them how many."""
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        return None
    return ThreadpoolController()


def own(torch: Any, count: int) -> None:
    """torch computes with so many threads for this one, which has just begun. It keeps a number for
    each thread, and the last one that was set for all that have not begun: theirs is put back."""
    with _torch, ThreadPoolExecutor(1) as other:
        later = torch.get_num_threads()
        torch.set_num_threads(count)
        other.submit(torch.set_num_threads, later).result()


def over(works: Collection[Future[Any]], cancel: bool = False) -> None:
    """Wait for all, through any Ctrl-C, which comes up then: the memory, or the file, that they
    write to goes next. cancel: what has not begun is left undone."""
    try:
        wait([work for work in works if not (cancel and work.cancel())])
    except BaseException:
        over(works, cancel)
        raise
