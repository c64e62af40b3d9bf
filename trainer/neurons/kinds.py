"""Every kind of neuron by name, in each form that is deployed in another way.

docs/trainer.md has a table of them, which a test holds to what lowering them gives.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from .lif import IF, LIF, CubaLIF
from .single_spike import SingleSpike
from .soft import SoftResetLIF
from .spikingjelly import PLIF, SpikingJellyLIF
from .srm import SRM
from .zenke import ZenkeLIF


@dataclass(frozen=True)
class Kind:
    """A kind in one form. call: how a reader would write it; source: where its formula stands;
    make: a fresh population, or a layer that takes 5 inputs."""

    call: str
    source: str
    make: Callable[[], nn.Module]


SLAYER = "Shrestha & Orchard 2018; Ikegawa et al."
FANG = "Fang et al. 2021; SpikingJelly"

KINDS: tuple[Kind, ...] = (
    Kind("IF()", "SEW (Fang et al. 2021), there with >=", IF),
    Kind("IF(reset='subtract')", "rate conversion", lambda: IF(reset="subtract")),
    Kind("LIF()", "TET eq. 1-3 (Deng et al. 2022); STBP", LIF),
    Kind("LIF(reset='subtract')", "as above, soft reset", lambda: LIF(reset="subtract")),
    Kind("CubaLIF()", "Loihi's current-based LIF", CubaLIF),
    Kind("SpikingJellyLIF()", FANG, SpikingJellyLIF),
    Kind("SpikingJellyLIF(decay_input=False)", FANG, lambda: SpikingJellyLIF(decay_input=False)),
    Kind("PLIF()", FANG, PLIF),
    Kind("ZenkeLIF()", "Zenke & Vogels 2021; stork", ZenkeLIF),
    Kind("SoftResetLIF()", "BNTT (Kim & Panda 2020)", SoftResetLIF),
    Kind(
        "SoftResetLIF(test_first=True)",
        "hybrid training (Rathi et al. 2020); DIET-SNN",
        lambda: SoftResetLIF(test_first=True),
    ),
    Kind("SRM()", SLAYER, SRM),
    Kind("SRM(tau_r=5.0)", SLAYER, lambda: SRM(tau_r=5.0)),
    Kind("SRM(kernel='alpha')", "slayerPytorch's refractory kernel", lambda: SRM(kernel="alpha")),
    Kind("SingleSpike(5, 4)", "Mostafa 2017; Zhou et al. 2021", lambda: SingleSpike(5, 4)),
)
