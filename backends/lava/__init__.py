"""Lava as two engines: 'lava-float' (its floating-point models) and 'lava-fixed' (its
bit-accurate models of Loihi's integers, with encoder and readout on the host).

Lava's last release runs on Python 3.10 only, so it runs in a process of its own:

    engines   capabilities, open           environment   finds or makes the Python 3.10
    session   run: host parts and Lava     client, group start, ask and end the worker process
    split     before / chip / after        pool          workers kept between runs
    chip      samples in, recordings out   worker/       the process: knows nothing of the rest
    planner   network -> a plan            worker/wire   what travels: JSON and raw arrays
    plan      what runs when               worker/build  a plan becomes connected processes
    pieces    one Lava process each        worker/engine, worker/stepped   the two ways to run
    constants what the biases add          worker/models processes that Lava does not ship
    limits    what Lava's integers hold    worker/im2col, worker/guard     stand-in, and errors

On Lava a synapse takes a step and a neuron none. core.pipeline finds by how many steps each node is
late, all samples of a batch are streamed through one start without a gap, states are cleared at
the start of each sample's window by Lava's own LIFReset, and recordings come back un-shifted.
The worker imports nothing of the rest: what it computes is independent of core.
"""

from importlib import import_module
from typing import Any

ENGINES = ("LavaFixed", "LavaFloat")


def __getattr__(name: str) -> Any:
    """The engines, imported at first use: the worker's Python must not need them."""
    if name in ENGINES:
        return getattr(import_module(".engines", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
