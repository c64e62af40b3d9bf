"""What the user says of a file that it cannot say itself, beside what its metadata says."""

from dataclasses import dataclass
from typing import Any, Literal

from .errors import NetworkError
from .metadata import Metadata


@dataclass(frozen=True)
class Stated:
    """What the user says of a file that the file cannot say itself. None: nothing said."""

    dt: float | None = None  # seconds
    reset: Literal["value", "subtract"] | None = None
    back_edge_at_t0: Literal["bias", "nothing"] | None = None
    if_r: Literal["step", "ode"] | None = None
    cuba_current: Literal["new", "old"] | None = None
    input_content: Literal["analogue", "spikes"] | None = None  # of every Input
    integrator: Literal["forward_euler", "exponential"] | None = None

    def items(self) -> dict[str, Any]:
        """What is said."""
        return {key: value for key, value in vars(self).items() if value is not None}


CHANGES = {  # of a file, if it were read otherwise
    "dt": "every decay and delay",
    "reset": "the membrane after every spike",
    "back_edge_at_t0": "the first step of every loop",
    "if_r": "what every IF adds for its input",
    "cuba_current": "the step at which every current arrives",
    "input_content": "which part runs on a chip",
    "integrator": "every decay and gain that comes from a time constant",
}


def foreign(stated: Stated) -> Metadata:
    """A foreign file means what the user says of it, and SEMANTICS' defaults else."""
    return Metadata(
        dt=stated.dt,
        back_edge_at_t0=stated.back_edge_at_t0 or "bias",
        if_r=stated.if_r,
        cuba_current=stated.cuba_current or "new",
        integrator=stated.integrator or "forward_euler",
    )


def completed(told: Metadata, stated: Stated) -> Metadata:
    """Our metadata; what the user says may fill a gap but not contradict it."""
    for key in ("dt", "back_edge_at_t0", "if_r", "cuba_current", "integrator"):
        said, written = getattr(stated, key), getattr(told, key)
        if said is None:
            continue
        if written is None:
            told = told.model_copy(update={key: said})
        elif said != written:
            raise NetworkError(
                f"--{flag(key)} {said} contradicts the file, which says {written}: "
                f"{CHANGES[key]} would change; leave it out"
            )
    if stated.reset is not None:
        resets = {name: about.reset for name, about in told.nodes.items() if about.reset}
        for name, reset in resets.items():
            if reset != stated.reset:
                raise NetworkError(
                    f"--reset {stated.reset} contradicts the file: node {name!r} has reset "
                    f"{reset}: {CHANGES['reset']} would change; leave it out"
                )
    return told


def flag(key: str) -> str:
    """The command-line option of a key."""
    return {"back_edge_at_t0": "back-edge"}.get(key, key.replace("_", "-"))
