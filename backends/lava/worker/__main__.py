"""The worker process: read a frame, run it in Lava, write a frame. Python 3.10."""

import os
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from multiprocessing import shared_memory
from typing import Any, BinaryIO

from . import wire

GOODBYE_S = 10.0
DEEP = 10_000  # Lava's compiler walks its lists by recursion, a frame for every process
Answer = tuple[dict[str, Any], dict[str, wire.Array]]


def exactly(stream: BinaryIO, count: int) -> bytes:
    """Read count bytes or raise EOFError."""
    data = stream.read(count)
    if len(data) != count:
        raise EOFError
    return data


def claim_wire() -> BinaryIO:
    """Move fd 1 aside: prints go to stderr, and no forked child keeps the wire open."""
    mine = os.dup(1)
    os.dup2(2, 1)
    os.register_at_fork(after_in_child=lambda: os.close(mine))
    return os.fdopen(mine, "wb")


def die_with_parent() -> None:
    """When the parent's end of our input closes, end the whole group, Lava's children too."""

    def watch() -> None:
        poll = select.poll()
        poll.register(0, 0)  # only hang-up and error are reported
        poll.poll()
        shutil.rmtree(os.environ["SPIKEPORT_FOLDER"], ignore_errors=True)
        os.killpg(0, signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def name_our_memory() -> None:
    """Name shared memory after this process, so that the parent can tell what is ours."""
    module: Any = shared_memory
    module._SHM_NAME_PREFIX = f"/sp{os.getpid()}_"
    module._SHM_SAFE_NAME_LENGTH = 30


class Desk:
    """Answers one frame after the other. Arrays that a frame names under 'keep' stay here, so
    that weights travel once."""

    def __init__(self) -> None:
        self.kept: dict[str, wire.Array] = {}

    def answer(self, head: dict[str, Any], arrays: dict[str, wire.Array]) -> Answer:
        """Lava is imported at the first frame: a failure then has an answer."""
        from . import engine

        if head["command"] == "versions":
            return {"versions": engine.versions()}, {}
        if head["fresh"]:
            self.kept.clear()
        self.kept.update({name: arrays[name] for name in head["keep"]})
        told, kept = engine.run(head["plan"], {**self.kept, **arrays})
        return told, kept


def main() -> None:
    """Serve until the parent closes our input."""
    name_our_memory()
    sys.setrecursionlimit(DEEP)
    out = claim_wire()
    die_with_parent()
    desk = Desk()
    while True:
        try:
            head, arrays = wire.unpack(lambda n: exactly(sys.stdin.buffer, n))
        except EOFError:
            time.sleep(GOODBYE_S)  # the thread that watches our input takes everything down
            os._exit(0)
        try:
            told, kept = desk.answer(head, arrays)
            answer = wire.pack({"ok": True, **told}, kept)
        except Exception:
            answer = wire.pack({"ok": False, "traceback": traceback.format_exc()}, {})
        for piece in answer:
            out.write(piece)
        out.flush()


if __name__ == "__main__":
    main()
