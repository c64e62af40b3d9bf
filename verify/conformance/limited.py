"""A subject in a process of its own: one that hangs or dies costs a case, not the run.

Importers of other libraries do both. The subject is named, not handed over: the process imports
it itself.
"""

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

from ...backends.conformance import Case, make
from .subjects import find
from .verdict import Verdict

STARTS = 120.0  # seconds for imports and the first answer


def answer(pipe: Connection, told: str, epsilon: float | None, reader: str | None) -> None:
    """The process: a name in, a verdict out."""
    subject = find(told, epsilon, reader)
    pipe.send((subject.name, subject.versions()))
    try:
        while True:
            pipe.send(subject.verdict(make(pipe.recv())))
    except EOFError:  # nobody asks any more
        return


class Limited:
    """A subject that has so many seconds for a case."""

    def __init__(
        self, told: str, epsilon: float | None, reader: str | None, seconds: float
    ) -> None:
        self.told = told, epsilon, reader
        self.seconds = seconds
        find(*self.told)  # what is wrong with the name is said here
        self.start()

    def start(self) -> None:
        """A new process, once it has answered."""
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=answer, args=(theirs, *self.told), daemon=True)
        self.process.start()
        theirs.close()
        self.name, self.packages = self.ask(None, STARTS)

    def ask(self, name: str | None, seconds: float) -> Any:
        """What it answers; TimeoutError, or EOFError where it died."""
        if name is not None:
            self.pipe.send(name)
        if not self.pipe.poll(seconds):
            raise TimeoutError
        return self.pipe.recv()

    def versions(self) -> dict[str, str]:
        """The packages that do the work."""
        told: dict[str, str] = self.packages
        return told

    def verdict(self, case: Case) -> Verdict:
        """What becomes of one case; a refusal where it gives no answer."""
        try:
            found: Verdict = self.ask(case.name, self.seconds)
            return found
        except TimeoutError:
            why = f"gives no answer within {self.seconds:g} s"
        except (EOFError, OSError):
            why = "its process dies"
        self.close()
        self.start()
        return Verdict("refuses", why)

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()
        self.pipe.close()
