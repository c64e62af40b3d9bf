"""Which kernel runs a population: fused wherever it can, eager else, or as it is forced.

`run.kernels` of a run's settings, or SPIKEPORT_KERNELS, which wins, say auto, fused or eager.
The choice moves no spike and no membrane; gradients differ by rounding.
"""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.modules import module

from ...core.errors import ConfigError
from .. import segments
from ..spike_bytes import PLAIN
from ..spiking import state_type
from ..surrogate import SHAPES

if TYPE_CHECKING:
    from ..neurons.base import Neuron
    from ..spiking import Feedback

Mode = Literal["auto", "fused", "eager"]
Engine = Literal["numba", "triton"]
MODES: dict[str, Mode] = {mode: mode for mode in get_args(Mode)}
VARIABLE = "SPIKEPORT_KERNELS"
INTERPRETER = "TRITON_INTERPRET"
COMPILERS = ("gcc", "clang")  # that triton looks for
STATES = (torch.float32, torch.float64)  # types that kernels compute in
HOOKS = "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"
PLANS = "_fused_plans"  # of a neuron that is covered, until something of it is set or deleted; what
# is written to its class, or past it into its __dict__, is not seen
_asked: Mode = "auto"


@dataclass(frozen=True)
class Choice:
    """engine: 'numba', 'triton' or 'eager'. reason: why not fused; '' where it is."""

    engine: Literal["numba", "triton", "eager"]
    reason: str = ""

    @property
    def fused(self) -> bool:
        return self.engine != "eager"


def mode() -> Mode:
    """What is asked for now. ConfigError if the variable says something else."""
    said = os.environ.get(VARIABLE) or _asked
    if (found := MODES.get(said)) is None:
        raise ConfigError(f"{VARIABLE} is {said!r}; it must be auto, fused or eager")
    return found


@contextmanager
def asked(wanted: Mode) -> Iterator[None]:
    """What is asked for inside the block."""
    global _asked
    before, _asked = _asked, wanted
    try:
        yield
    finally:
        _asked = before


def chosen(neuron: "Neuron", x: Tensor, feedback: "Feedback | None" = None) -> Choice:
    """What runs a population on x [T, B, *shape]. ConfigError where fused is asked for, but
    cannot be; who watches every step, or runs segments, is answered step by step all the same."""
    wanted = mode()
    if wanted == "eager":
        return Choice("eager", "asked for")
    if neuron.watch is not None:
        return Choice("eager", "its steps are recorded")
    if segments.running():
        return Choice("eager", "its steps are run in segments")
    engine = engine_of(x.device.type)
    reason = "" if neuron.__dict__.get(PLANS) else not_covered(neuron)
    reason = reason or not_here(x, engine)
    if feedback is not None:
        reason = reason or not_a_scan(feedback, x)
    if not reason:
        return fused(engine)
    if wanted == "fused":
        raise ConfigError(
            f"kernels are to be fused, but a {type(neuron).__name__} cannot be: {reason}; "
            f"set run.kernels (or {VARIABLE}) to auto"
        )
    return Choice("eager", reason)


def integrator(x: Tensor) -> Choice:
    """What runs a population that does not fire on x [T, B, *shape]."""
    engine = engine_of(x.device.type)
    reason = "asked for" if mode() == "eager" else not_here(x, engine)
    reason = "its steps are run in segments" if segments.running() else reason
    return Choice("eager", reason) if reason else fused(engine)


@cache
def fused(engine: Engine) -> Choice:
    """The choice of an engine."""
    return Choice(engine)


def not_covered(neuron: "Neuron") -> str:
    """Why a population has no fused kernel; '' if it has one."""
    if not neuron.plain_step:
        return "its step is not the plain one"
    if neuron.refractory and not neuron.dead_step:
        return f"a refractory period of {neuron.refractory}"
    if type(neuron.surrogate) not in SHAPES.values():
        return f"no kernel knows the surrogate {type(neuron.surrogate).__name__}"
    for name, number in neuron._parameters.items():
        if number is not None and number.ndim:  # a kernel has one for all neurons
            return f"a learned {name} of shape {list(number.shape)}"
    return "" if neuron._parameters.get("v_reset") is None else "a learned v_reset"


def not_a_scan(feedback: "Feedback", x: Tensor) -> str:
    """Why the way back from a population to itself has no kernel on x; '' if it has one."""
    if x.ndim != 3:
        return f"it hears its own spikes in {x.ndim - 2} dimensions"
    if not isinstance(feedback, nn.Linear) or type(feedback).forward is not nn.Linear.forward:
        return f"it hears its own spikes through a {type(feedback).__name__}"
    if "forward" in vars(feedback) or feedback._modules:  # of a weight that is made of others
        return f"it hears its own spikes through a {type(feedback).__name__} that was changed"
    if any(getattr(feedback, name) for name in HOOKS) or module._has_any_global_hook():  # type: ignore[no-untyped-call]
        return "it hears its own spikes through a layer with hooks"
    if state_type(x.dtype) != x.dtype or torch.is_autocast_enabled(x.device.type):
        return "it hears its own spikes in mixed precision"
    return ""


def not_here(x: Tensor, engine: Engine) -> str:
    """Why no kernel of an engine takes this input; '' if one does."""
    if type(x) not in PLAIN:
        return f"an input that is a {type(x).__name__}"
    if state_type(x.dtype) not in STATES:
        return f"an input of {str(x.dtype).removeprefix('torch.')}"
    if x.ndim < 2 or not x.numel():
        return "an empty input"
    return followed() or lacking(x.device.type, engine)


def followed() -> str:
    """Who follows torch from operation to operation, and would not see what a kernel writes; ''
    if nobody does."""
    if torch.compiler.is_compiling():
        return "torch.compile follows it"
    if torch._C._get_tracing_state():
        return "torch.jit.trace follows it"
    if torch._C._are_functorch_transforms_active():
        return "torch.func follows it"
    if forward_ad._current_level >= 0:
        return "it is differentiated forward"
    return "a mode follows torch's operations" if torch._C._len_torch_dispatch_stack() else ""


def engine_of(device: str) -> Engine:
    """What runs kernels on a kind of device: Triton on GPUs, and where its interpreter, which
    runs on a processor, is asked for by its own variable."""
    return "triton" if device != "cpu" or os.environ.get(INTERPRETER) == "1" else "numba"


def missing(device: str) -> str:
    """Why there is no kernel on this kind of device; '' if there is."""
    return lacking(device, engine_of(device))


def lacking(device: str, package: Engine) -> str:
    """The same, of the package that has the kernel."""
    if device not in ("cpu", "cuda"):
        return f"no kernel for {device}"
    if not installed(package):
        return f"{package} is not installed"
    return "" if device == "cpu" else no_compiler()


@cache
def installed(package: str) -> bool:
    """Whether it can be imported."""
    return importlib.util.find_spec(package) is not None


@cache
def no_compiler() -> str:
    """Triton compiles what launches a kernel, too."""
    named = os.environ.get("CC")
    if any(map(shutil.which, [named] if named else COMPILERS)):
        return ""
    return f"triton needs a C compiler, and {named or ' or '.join(COMPILERS)} is not there"


def on_this_machine() -> dict[str, str]:
    """Kind of device -> what runs the neurons that have a fused kernel, and why."""
    told = {device: runs(device) for device in ("cpu", "cuda")}
    if not torch.cuda.is_available():
        told["cuda"] = f"torch {torch.__version__} sees no GPU"
    return told


def runs(device: str) -> str:
    """What a kind of device runs, if there is one."""
    if mode() == "eager":
        return "eager torch: asked for"
    if why := missing(device):
        return f"eager torch: {why}"
    return f"fused: {engine_of(device)}"
