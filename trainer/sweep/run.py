"""All cells of a sweep, side by side, one thread each. Cells that are done are not run again."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread

from ...core.errors import ConfigError
from ...core.files import written_whole
from .plan import Cell, Plan
from .work import Found, done, work

Told = Callable[[int, int, Cell, Found], None]  # cells done, of how many, which, what


@dataclass(frozen=True)
class Result:
    """cell -> what was found, in the plan's order."""

    plan: Plan
    found: tuple[Found, ...]

    def values(self, label: str, name: str) -> list[float]:
        """A number of every seed of a group; cells that failed, or lack it, are left out."""
        pairs = zip(self.plan.cells, self.found, strict=True)
        return [f.values[name] for c, f in pairs if c.label() == label and name in f.values]

    @property
    def failed(self) -> list[tuple[Cell, str]]:
        """Cells without numbers, and why."""
        pairs = zip(self.plan.cells, self.found, strict=True)
        return [(cell, f.problem) for cell, f in pairs if f.problem]


def run(plan: Plan, out: Path, jobs: int = 1, tell: Told | None = None) -> Result:
    """Every cell into a folder of its own under `out`; cells.jsonl has all numbers.

    jobs: processes. A cell that fails does not end the others. Whatever ends the sweep, running
    the same file again goes on where it stopped.
    """
    if jobs < 1:
        raise ConfigError(f"jobs is {jobs}; give 1 or more")
    out.mkdir(parents=True, exist_ok=True)
    found: dict[int, Found] = {}

    def note(number: int, what: Found) -> None:
        found[number] = what
        if tell is not None:
            tell(len(found), len(plan.cells), plan.cells[number], what)

    left = []
    for number, cell in enumerate(plan.cells):
        if (earlier := done(cell, plan.measure, out)) is not None:
            note(number, earlier)
        else:
            left.append(number)
    if left:
        with processes(min(jobs, len(left))) as pool:
            tasks = {pool.submit(work, plan.cells[n], plan.measure, out): n for n in left}
            for task in as_completed(tasks):
                note(tasks[task], outcome(task))
    result = Result(plan, tuple(found[n] for n in range(len(plan.cells))))
    write(result, out / "cells.jsonl")
    return result


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh ones, that share nothing with this process; what is not begun is dropped on an error
    or Ctrl-C, and those at work are ended."""
    pool = ProcessPoolExecutor(count, get_context("spawn"), leave_with_parent)
    try:
        yield pool
    except BaseException:
        children = list((getattr(pool, "_processes", None) or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()
        raise
    pool.shutdown()


def leave_with_parent() -> None:
    """End this process as soon as the one that began it is gone, were it killed: nobody would
    ever give it work again."""
    parent = parent_process()
    assert parent is not None

    def leave() -> None:
        parent.join()
        os._exit(1)

    Thread(target=leave, daemon=True).start()


def outcome(task: "Future[Found]") -> Found:
    """What a process found; its own failure is one, too."""
    try:
        return task.result()
    except Exception as error:  # a cell's process may die of anything
        return Found({}, f"{type(error).__name__}: {' '.join(str(error).split())}")


def write(result: Result, path: Path) -> None:
    """A JSON line for every cell."""
    with written_whole(path) as part, part.open("w", encoding="utf-8") as file:
        for cell, found in zip(result.plan.cells, result.found, strict=True):
            line = {"cell": cell.folder, "case": cell.case, "varied": dict(cell.varied)}
            file.write(json.dumps({**line, "values": found.values, "problem": found.problem}))
            file.write("\n")
