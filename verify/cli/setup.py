"""spikeport setup, backends, doctor: what is there, and making what is not."""

import importlib.util
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ...core.errors import BackendError
from .base import FAILED, Json, say, tell

PACKAGES = (
    "numpy h5py nir pydantic typer rich torch lightning-fabric scikit-learn numba tensorboard "
    "norse nirtorch onnx onnxruntime matplotlib jinja2 uv"
).split()


def setup(
    what: Annotated[Literal["lava"], typer.Argument(help="what to set up")],
    where: Annotated[
        Path | None, typer.Option(help="folder of the environment; default: the user's cache")
    ] = None,
) -> None:
    """Make the Python 3.10 environment that Lava needs, once."""
    from ...backends.lava.environment import ensure

    say(f"Lava runs with {ensure(where)}")


def backends(json: Json = False) -> None:
    """List the engines, what they run, and what is missing for them."""
    from ...backends import registry

    told = []
    for name, entry in registry.known().items():
        row: dict[str, Any] = {"name": name, "says": entry.says}
        try:
            backend = registry.get(name)
            able = backend.capabilities()
            row |= {
                "available": True,
                "versions": backend.versions(),
                "nodes": sorted(able.nodes),
                "agreement": able.agreement,
                "timing": "a step a synapse" if able.step_per_synapse else "aligned",
                "numbers": able.number_format,
            }
        except BackendError as error:
            row |= {"available": False, "missing": str(error).splitlines()[0]}
        told.append(row)
    if json:
        tell(told)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("engine", "", "numbers", "timing", "level", "versions or what is missing")
    for row in told:
        there = row["available"]
        versions = ", ".join(f"{k} {v}" for k, v in row.get("versions", {}).items())
        table.add_row(
            row["name"],
            "[green]there[/]" if there else "[red]missing[/]",
            row.get("numbers", ""),
            row.get("timing", ""),
            row.get("agreement", ""),
            versions if there else row["missing"],
        )
    Console().print(table)


def doctor(json: Json = False) -> None:
    """Say what is installed, which engines answer, and what to do about those that do not."""
    from ...backends import registry
    from ...backends.loihi.gpu.device import gpus

    packages = {name: installed(name) for name in PACKAGES}
    engines: dict[str, dict[str, Any]] = {}
    for name, entry in registry.known().items():
        try:
            backend = registry.get(name)
            engines[name] = {"ok": True, "says": backend.versions()}
        except BackendError as error:
            engines[name] = {"ok": False, "says": str(error)}
        engines[name]["optional"] = entry.optional
    told = {
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "packages": packages,
        "engines": engines,
        "kernels": kernels(),
        "gpus": gpus(),
    }
    if json:
        tell(told)
    else:
        from rich.console import Console

        Console().print(told)
    if not all(engine["ok"] or engine["optional"] for engine in engines.values()):
        raise typer.Exit(FAILED)


def installed(name: str) -> str | None:
    """A package's version, None if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def kernels() -> dict[str, str]:
    """Which kernels the trainer's neurons run on, by kind of device."""
    if importlib.util.find_spec("torch") is None:
        return {"none": "torch is not installed (pip install 'spikeport[train]')"}
    from ...trainer.kernels import on_this_machine

    return on_this_machine()
