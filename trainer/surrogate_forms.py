"""The surrogates as the papers write them: each one's own parameters -> a width and a scale.

x is the membrane minus the threshold. The papers' names are kept, so that a formula can be
looked up; where a printed formula is known to be wrong, the right one stands here.
"""

from collections.abc import Callable

from .surrogate import (
    ATan,
    Exponential,
    ForwardSigmoid,
    Rectangular,
    Sigmoid,
    SuperSpike,
    Surrogate,
    Triangle,
)
from .surrogate_memory import SinceSpike


def triangle(gamma: float = 1.0) -> Surrogate:
    """max(0, gamma - |x|) / gamma^2: TET eq. 5."""
    return Triangle(gamma, 1 / gamma)


def rectangular(a: float = 0.5) -> Surrogate:
    """1 / (2 a) where |x| < a: STBP."""
    return Rectangular(a, 1 / (2 * a))


def superspike(beta: float = 10.0) -> Surrogate:
    """1 / (beta |x| + 1)^2: Zenke & Vogels 2021, peak 1 whatever beta."""
    return SuperSpike(1 / beta, 1.0)


def superspike_asymptotic(beta: float = 100.0) -> Surrogate:
    """beta / (beta |x| + 1)^2: the same with a peak that grows with beta, which harms deep and
    recurrent nets."""
    return SuperSpike(1 / beta, beta)


def esser(beta: float = 1.0) -> Surrogate:
    """max(0, 1 - beta |x|): Esser et al. 2016, as in Zenke & Vogels 2021."""
    return Triangle(1 / beta, 1.0)


def sigmoid(beta: float = 10.0) -> Surrogate:
    """s (1 - s) with s = sigmoid(beta x): Zenke & Vogels 2021; its peak is 1 / 4."""
    return Sigmoid(1 / beta, 0.25)


def slayer(alpha: float = 10.0, beta: float = 10.0) -> Surrogate:
    """exp(-beta |x|) / alpha: Ikegawa et al. eq. 10, whose print lost the exp."""
    return Exponential(1 / beta, 1 / alpha)


def slayer_library(theta: float = 10.0, scale_rho: float = 1.0, tau_rho: float = 1.0) -> Surrogate:
    """scale_rho / (tau_rho theta) exp(-|x| / (tau_rho theta)): slayerPytorch."""
    return Exponential(tau_rho * theta, scale_rho / (tau_rho * theta))


def atan(alpha: float = 2.0) -> Surrogate:
    """(alpha / 2) / (1 + (pi / 2 alpha x)^2): SEW, PLIF."""
    return ATan(2 / alpha, alpha / 2)


def bellec(threshold: float = 1.0) -> Surrogate:
    """0.3 max(0, 1 - |v / threshold - 1|) by v / threshold: Bellec et al. 2018, as in BNTT."""
    return Triangle(threshold, 0.3 / threshold)


def stdb(alpha: float = 0.3, beta: float = 0.01, threshold: float = 1.0) -> Surrogate:
    """alpha exp(-beta n) by v / threshold, n steps after the last spike: Rathi et al. 2020."""
    return SinceSpike(1 / beta, alpha / threshold)


def forward_sigmoid(k: float = 10.0) -> Surrogate:
    """sigmoid(k x) in place of the spike: TET's ablation. No spikes, so it cannot be exported."""
    return ForwardSigmoid(1 / k)


FORMS: dict[str, Callable[..., Surrogate]] = {
    made.__name__: made
    for made in (
        triangle,
        rectangular,
        superspike,
        superspike_asymptotic,
        esser,
        sigmoid,
        slayer,
        slayer_library,
        atan,
        bellec,
        forward_sigmoid,
    )
}
