"""spikeport fit: does a network fit a chip, where do its layers go, what is in the way."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ...core.errors import ConfigError
from .base import Json, fresh, say, tell
from .files import BackEdge, CubaCurrent, Dt, IfR, InputContent, Integrator, Reset, stated

if TYPE_CHECKING:
    from rich.table import Table

    from ...core.network import Network
    from ..fit.place import Placed
    from ..fit.verdict import Fit

BITS = 8  # of a weight, where nobody says
WIDTH = 130  # of the table where nobody says how wide the page is
SHORT = {  # resource -> its name in the table
    "compartments": "neurons",
    "synapse_bits": "memory",
    "input_axons": "axons in",
    "output_axons": "axons out",
    "decay_profiles": "decays",
    "thresholds": "thresh.",
}


def fit(
    model: Annotated[Path, typer.Argument(help="a .nir file, in real numbers or in integers")],
    chip: Annotated[Literal["loihi1", "loihi2"], typer.Option(help="kind of chip")],
    chips: Annotated[int, typer.Option(help="how many there are")] = 1,
    bits: Annotated[
        int | None, typer.Option(help=f"of a weight, in a file of real numbers [default: {BITS}]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="write all of it there as JSON, core by core")
    ] = None,
    dt: Dt = None,
    reset: Reset = None,
    back_edge: BackEdge = None,
    if_r: IfR = None,
    cuba_current: CubaCurrent = None,
    input_content: InputContent = None,
    integrator: Integrator = None,
    json: Json = False,
) -> None:
    """Say whether a network fits a chip, and what is in the way if it does not."""
    from ...core import store
    from ..fit.chips import named
    from ..fit.facts import facts
    from ..fit.verdict import judge

    if out is not None:
        fresh(out, model)
    network = store.read(
        model, stated(dt, reset, back_edge, if_r, cuba_current, input_content, integrator)
    )
    if bits is not None and network.number_format == "loihi":
        raise ConfigError(f"--bits {bits}: {model} holds integers, and says their bits itself")
    found = judge(lowered(network), named(chip), chips, BITS if bits is None else bits)
    told = {"model": str(model), **facts(found)}
    if out is not None:
        write(out, told)
    if json:
        tell(told)
    else:
        show(found)
    if not found.fits:
        raise typer.Exit(1)


def lowered(network: "Network") -> "Network":
    """As the quantiser takes it: norms folded, pools merged; integers are so already."""
    from ...export.passes.base import run_passes
    from ..emulated import chip_capabilities
    from ..prepare import passes_for

    return run_passes(network, passes_for(network, chip_capabilities())).network


def write(path: Path, told: dict[str, object]) -> None:
    """The facts, whole."""
    import json

    from ...core.files import written_whole

    with written_whole(path) as part:
        part.write_text(json.dumps(told, indent=1), encoding="utf8")


def show(found: "Fit") -> None:
    """For people."""
    from rich.console import Console
    from rich.markup import escape

    from ..fit.facts import verdict

    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH)
    console.print(table(found))
    for x in found.layers:
        for note in x.layer.notes:
            say(f"{x.layer.name}: {note}; not counted")
    for e in found.exceeded:
        text = escape(f"{e.what}. What would help: {e.help}")
        console.print(f"[red]too much[/]: {text}", soft_wrap=True)
    color = "green" if found.fits else "red"
    console.print(f"[bold {color}]{escape(verdict(found))}[/]", soft_wrap=True)


def table(found: "Fit") -> "Table":
    """A row a layer: what its fullest core uses of what a core has."""
    from rich.markup import escape
    from rich.table import Table

    from ..fit.chips import CORE
    from ..fit.place import Placed

    made = Table(title=f"{found.chip.title}: what the fullest core of each layer uses")
    made.add_column("layer", overflow="fold")
    for name in ("shape", "cores", "per core", *(SHORT[r] for r in CORE)):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("limited by", no_wrap=True)
    limits = ("unknown" if (n := found.chip.core[r].value) is None else f"{n:,}" for r in CORE)
    made.add_row("limit", "", "", "", *limits, "")
    made.add_section()
    for x in found.layers:
        if isinstance(x, Placed):
            size = joined(x.cut.size)
            cells = [f"{x.cut.count:,}", size, *(use(x, r) for r in CORE), SHORT[x.limiting]]
        else:
            over = ", ".join(SHORT[r] for r in x.over)
            cells = ["[red]none[/]", *[""] * (len(CORE) + 1), over]
        made.add_row(escape(x.layer.name), joined(x.layer.view), *cells)
    return made


def joined(size: tuple[int, int, int]) -> str:
    """Channels, rows and columns; of a row of neurons only how many."""
    return "x".join(str(n) for n in (size[:1] if size[1:] == (1, 1) else size))


def use(x: "Placed", resource: str) -> str:
    """What the fullest core uses: a share of the limit, or a count where there is none."""
    shares = x.shares
    return f"{100 * shares[resource]:.0f} %" if resource in shares else f"{x.most(resource):,}"
