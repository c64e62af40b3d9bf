"""A trained model -> the graph that fine-tuning starts from."""

from collections.abc import Callable

from ...core.arrays import Numbers
from ...core.network import Network
from ...core.settings import FineTune
from ...trainer.checkpoint import Trained
from ...trainer.graph import GraphNet, Start
from ..passes.base import run_passes
from ..quantise import Options, Quantise
from ..quantise.options import Runner, by_interpreter
from ..recipes import TRAINABLE
from .lower import lower


def start_of(
    trained: Trained,
    settings: FineTune,
    calibration: Callable[[], Numbers],
    run: Runner = by_interpreter,
) -> Start:
    """The model's network, norms folded, and in the chip's integers if the settings say so.

    calibration: gives real inputs [T, B, *shape], on which the scales are chosen that training
    then keeps. UnsupportedNode, PassError and QuantisationError name what cannot be.
    """
    real = run_passes(in_real_numbers(trained), TRAINABLE).network
    if settings.numbers == "real":
        return Start(real)
    options = Options(
        settings.method, settings.bits, settings.percentile, equalise=settings.equalise
    )
    inputs = {real.inputs[0]: calibration()}
    made = Quantise(inputs, options, run).apply(real)
    return Start(real, made.network, made.doubts)


def in_real_numbers(trained: Trained) -> Network:
    """The network of a checkpoint; of one that was fine-tuned in integers, the real one behind."""
    if isinstance(trained.model, GraphNet):
        return trained.model.network()
    steps, content = trained.config.data.steps, trained.content
    return lower(trained.model, trained.input_shape, steps=steps, content=content)
