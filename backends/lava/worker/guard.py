"""Lava's runtime waits for ever once one of its OS processes fails. Here it fails at once.

A failing process writes its traceback where the parent looks, and ends the worker's whole
group; one that is killed without a word is noticed by a thread of the worker.
"""

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lava.magma.runtime import runtime

TROUBLE = "trouble"  # the file, in the worker's folder
EVERY_S = 0.2

lavas_own = runtime.target_fn


def give_up(why: str) -> None:
    """Say why, and end the group: this process, its parent and everything beside it."""
    path = Path(os.environ["SPIKEPORT_FOLDER"]) / TROUBLE
    try:
        with path.open("x") as file:
            file.write(why)
    except FileExistsError:
        pass  # the first to fail has said it; the others fail because of it
    os.killpg(0, signal.SIGTERM)


def guarded(*args: Any, **kwargs: Any) -> None:
    """What Lava runs in each of its OS processes, errors included."""
    try:
        lavas_own(*args, **kwargs)
    except BaseException:
        give_up(traceback.format_exc())


def install() -> None:
    """Put the guard around every process that Lava will start."""
    runtime.target_fn = guarded


@contextmanager
def watch(running: Any) -> Iterator[None]:
    """Give up if any of the runtime's OS processes ends while the block runs."""
    done = threading.Event()
    actors = running._messaging_infrastructure.actors

    def look() -> None:
        while not done.wait(EVERY_S):
            for actor in actors:
                if actor.exitcode is not None:
                    give_up(f"a process of Lava's ended by itself, exit status {actor.exitcode}")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
