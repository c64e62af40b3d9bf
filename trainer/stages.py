"""The stages of a run: those of train.before, then [train] itself.

Time inheritance training (Deng et al. 2022, 4.3) is a stage of few steps before one of more; a
switch of the loss is a stage with another. Stages without a learning rate of their own share the
schedule, and the optimiser's state, of what follows them; one with its own, and what comes after
it, begin afresh, as if from a checkpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.settings import Train, TrainConfig


@dataclass(frozen=True)
class Phase:
    """Epochs first ... end - 1 of the run. steps: T; loss: its name. schedule: settings whose
    epochs and rate are those of the schedule, which begins at epoch `origin`."""

    first: int
    end: int
    steps: int
    loss: str
    schedule: Train
    origin: int

    @property
    def begins_schedule(self) -> bool:
        """Whether its optimiser begins afresh with it."""
        return self.first == self.origin


def phases(config: TrainConfig) -> tuple[Phase, ...]:
    """All stages in order; the last is [train] itself."""
    train, steps = config.train, config.data.steps
    parts = [(s.epochs, s.steps or steps, s.loss or train.loss, s.lr) for s in train.before]
    parts.append((train.epochs, steps, train.loss, 0.0))
    made: list[Phase] = []
    for group in grouped(parts):
        origin = made[-1].end if made else 0
        span = {"epochs": sum(p[0] for p in group), "lr": group[0][3] or train.lr}
        span["warmup"] = 0.0 if origin else train.warmup  # only weights that are fresh need it
        schedule = train.model_copy(update=span)
        for epochs, t, loss, _ in group:
            first = made[-1].end if made else 0
            made.append(Phase(first, first + epochs, t, loss, schedule, origin))
    return tuple(made)


Part = tuple[int, int, str, float]  # epochs, steps, loss, rate of its own or 0


def grouped(parts: Sequence[Part]) -> list[list[Part]]:
    """Stages that share a schedule; one with a rate of its own stands alone."""
    groups: list[list[Part]] = []
    for part in parts:
        if groups and not part[3] and not groups[-1][-1][3]:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def phase_at(all_phases: Sequence[Phase], epoch: int) -> Phase:
    """The phase of an epoch; after the last one the last."""
    return next((p for p in all_phases if epoch < p.end), all_phases[-1])


def cost(all_phases: Sequence[Phase]) -> int:
    """Steps times epochs, added up: what time inheritance saves."""
    return sum(p.steps * (p.end - p.first) for p in all_phases)
