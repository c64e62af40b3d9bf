"""Engines that will not run a network, beside those that do: named, and why."""

from dataclasses import dataclass, field

from ..core.errors import BackendError, SpikeportError


@dataclass(frozen=True)
class Refusal:
    """An engine that gets no row."""

    name: str
    reason: str


@dataclass
class Refusals:
    """Those of one verification."""

    errors: list[tuple[str, SpikeportError]] = field(default_factory=list)

    def note(self, name: str, error: SpikeportError) -> None:
        """An engine's own error."""
        self.errors.append((name, error))

    def raise_if_all(self, others: int) -> None:
        """Where no engine is left that could be judged: what the only one said, or what all did."""
        if others or not self.errors:
            return
        first = self.errors[0][1]
        if len({str(error) for _, error in self.errors}) == 1:
            raise first
        told = "; ".join(f"{name}: {error}" for name, error in self.errors)
        raise BackendError(f"no engine runs this network: {told}") from first

    def told(self) -> tuple[Refusal, ...]:
        """For reports."""
        return tuple(Refusal(name, str(error)) for name, error in self.errors)
