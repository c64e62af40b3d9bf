"""When a sample begins for a process: samples of T steps follow one another without a gap."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """interval: steps of one sample (T). shift: steps by which this process is late. width:
    steps at the start of each sample for which nothing of the sample before may come through."""

    interval: int
    shift: int
    width: int = 0

    def age(self, step: int) -> int:
        """Steps of its sample before chip step `step` (from 1)."""
        return (step - 1 - self.shift) % self.interval

    def closed(self, step: int) -> bool:
        """Whether chip step `step` is one of the first `width` of its sample."""
        return self.age(step) < self.width

    @property
    def offset(self) -> int:
        """The first chip step of a sample, as Lava's LIFReset counts: modulo the interval."""
        return 1 + self.shift
