"""Run a plan in one of two ways: Lava's runtime, or its models stepped in this process."""

import logging
import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.process.process import ProcessServer
from lava.magma.core.process.variable import VarServer
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg

from . import guard, im2col
from .build import Builder, Net
from .models import sink
from .stepped import States, Stepper
from .wire import Array

CHANNEL = {"pypy_channel_size": 4}  # slots; steps are in lockstep, two are ever in use
IM2COL = im2col.works()
guard.install()
logging.getLogger("lava").setLevel(logging.ERROR)


def versions() -> dict[str, str]:
    """The packages that do the work."""
    return {name: version(name) for name in ("lava-nc", "numpy", "scipy")}


def run(plan: Mapping[str, Any], arrays: Mapping[str, Array]) -> tuple[dict[str, Any], Any]:
    """Run a plan; returns (what ran, what was kept as [steps, *shape])."""
    folder = Path(os.environ["SPIKEPORT_FOLDER"]) if plan["mode"] == "runtime" else None
    net = Builder(plan, arrays).net(folder)
    tag = "fixed_pt" if plan["fixed"] else "floating_pt"
    config = Loihi2SimCfg(select_tag=tag, exception_proc_model_map=net.models)
    stand_in = IM2COL and plan["stand_ins"]
    im2col.install(stand_in)
    try:
        seconds, kept = (by_runtime if folder else by_steps)(plan, net, config)
    finally:
        forget()
    stand_ins = [im2col.NAME] if stand_in else []
    told = {"seconds": seconds, "steps": plan["steps"], "stand_ins": stand_ins, "ours": net.ours}
    return told, kept


def by_steps(plan: Mapping[str, Any], net: Net, config: Any) -> tuple[float, dict[str, Array]]:
    """Lava's compiled models, stepped here."""
    stepper = Stepper(net.sink.compile(config, dict(CHANNEL)))
    models = {name: stepper.models[b.process] for name, b in net.built.items()}
    states = States(plan["states"], models, plan["count"])
    start = time.perf_counter()
    for step in range(1, plan["steps"] + 1):
        stepper.step()
        states.keep(step)
    seconds = time.perf_counter() - start
    kept = dict(zip(net.names, models["sink"].arrays, strict=True))
    return seconds, kept | states.arrays()


def by_runtime(plan: Mapping[str, Any], net: Net, config: Any) -> tuple[float, dict[str, Array]]:
    """Lava's own runtime: an OS process for each Lava process."""
    process = net.sink
    process.create_runtime(config, compile_config=dict(CHANNEL))
    with guard.watch(process.runtime):
        start = time.perf_counter()
        process.run(RunSteps(num_steps=plan["steps"]))
        seconds = time.perf_counter() - start
    process.stop()
    kept = {}
    folder = Path(os.environ["SPIKEPORT_FOLDER"])
    for number, name in enumerate(net.names):
        path = sink.file(folder, number)
        kept[name] = np.load(path)
        path.unlink()
    return seconds, kept


def forget() -> None:
    """Lava keeps every process and variable ever made, with its arrays: let them go."""
    ProcessServer().reset_server()
    VarServer().reset_server()
    im2col.forget()
