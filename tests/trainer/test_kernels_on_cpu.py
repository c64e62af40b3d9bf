"""What only the processor's kernels do: threads of two kinds, and memory that is used again."""

import copy
import ctypes
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (everybody's name for it)
from numba.core import config
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils.parametrize import register_parametrization

from spikeport.core.errors import ConfigError, TrainingError
from spikeport.trainer import kernels, layers
from spikeport.trainer.kernels import function, layout, on_cpu, pool_loops, threads, way
from spikeport.trainer.neurons import LIF, Neuron, ZenkeLIF
from spikeport.trainer.readouts.layers import LeakyReadout
from spikeport.trainer.surrogate import SHAPES

SHAPE = (14, 4, 9001)  # several parts, the last of which is not whole


def drawn() -> tuple[Tensor, Tensor]:
    """An input and a gradient of the spikes."""
    generator = torch.Generator().manual_seed(3)
    x, weight = (torch.randn(SHAPE, generator=generator) for _ in range(2))
    return (1.5 * x + 0.3).requires_grad_(), weight


def ran(neuron: Neuron, mode: kernels.Mode, passes: int = 1) -> list[Tensor]:
    """Spikes, then the gradients of each backward pass."""
    x, weight = drawn()
    with kernels.asked(mode):
        spikes = neuron(x)
    found = [spikes.detach()]
    for left in range(passes - 1, -1, -1):
        given = (x, *neuron.parameters())
        found += torch.autograd.grad(spikes, given, weight, retain_graph=left > 0)
    return found


def equal(found: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(found, others, strict=True))


def test_a_graph_that_is_kept_goes_back_again() -> None:
    """The last pass of three takes the memory of the membranes, the others must not."""
    neuron = LIF(0.7)
    spikes, *grads = ran(neuron, "fused", passes=3)
    assert torch.equal(spikes, ran(neuron, "eager")[0])
    assert equal(grads[:1], grads[1:2]) and equal(grads[:1], grads[2:])
    right = ran(neuron, "eager")[1]
    assert float((grads[0] - right).abs().max()) < 64 * 2**-23 * float(right.abs().max())


@pytest.mark.skipif(function.KEPT.__name__ == "<lambda>", reason="this torch does not say it")
def test_a_pass_that_failed_is_not_gone_back_through_again() -> None:
    """torch keeps the graph then, but not what was kept for it."""
    x, weight = drawn()
    spikes = LIF()(x)

    def fails(*grads: object) -> None:
        raise ValueError("a hook's own")

    hook = spikes.grad_fn.register_hook(fails)
    with pytest.raises(ValueError, match="a hook's own"):
        spikes.backward(weight)
    hook.remove()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.backward(weight)


@pytest.mark.skipif(function.KEPT.__name__ == "<lambda>", reason="this torch does not say it")
def test_a_gradient_takes_the_memory_of_the_membranes() -> None:
    x, weight = drawn()
    spikes = LIF()(x)
    place = spikes.grad_fn.saved_tensors[0].data_ptr()
    spikes.backward(weight)
    assert x.grad is not None and x.grad.data_ptr() == place


@pytest.mark.parametrize("steps", [1, 5])
def test_the_gradient_of_every_step_of_what_is_held(steps: int) -> None:
    """Where it is asked for, and not that of the one step that is there."""
    one, weight = torch.randn(2, 3, 50).unbind()
    found: dict[str, list[Tensor]] = {}
    modes: tuple[kernels.Mode, ...] = "fused", "eager"
    for how in modes:
        with kernels.asked(how):
            leaf = one.expand(steps, 3, 50).requires_grad_()
            step = one.clone().requires_grad_()
            kept = step.expand(steps, 3, 50)
            kept.retain_grad()
            heard: list[Tensor] = []
            hooked = step.expand(steps, 3, 50)
            hooked.register_hook(heard.append)  # type: ignore[no-untyped-call]
            for x in (leaf, leaf[:], kept, hooked, step.expand(steps, 3, 50), step[None]):
                (LIF(0.7)(x) * weight).sum().backward()
            assert leaf.grad is not None and step.grad is not None and kept.grad is not None
            found[how] = [leaf.grad, step.grad, kept.grad, *heard]
    for ours, theirs in zip(*found.values(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5) and ours.any()


@pytest.mark.parametrize("how", ["view", "step first", "module's"])
def test_who_listens_between_a_step_and_what_is_held(how: str) -> None:
    """Another view of the step, or the module: each hears the gradient, and may change it."""
    one, weight = torch.randn(2, 3, 50).unbind()
    found: dict[str, list[Tensor]] = {}
    modes: tuple[kernels.Mode, ...] = "fused", "eager"
    for mode in modes:
        neuron, step = LIF(0.7), one.clone().requires_grad_()
        heard: list[Tensor] = []

        def twice(grad: Tensor, heard: list[Tensor] = heard) -> Tensor:
            heard.append(grad.clone())
            return grad * 2

        between = step[None] if how == "step first" else step.view(3, 50)
        if how == "module's":
            neuron.register_full_backward_hook(lambda _, to, __, f=twice: (f(to[0]),))  # type: ignore[misc]
        else:
            between.register_hook(twice)  # type: ignore[no-untyped-call]
        with kernels.asked(mode):
            out = neuron(between.expand(5, 3, 50))
        (out * weight).sum().backward()
        assert step.grad is not None and len(heard) == 1
        found[mode] = [step.grad, *heard]
    for ours, theirs in zip(*found.values(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-5) and ours.any()


@pytest.mark.parametrize(
    "laid",
    [lambda x: torch._neg_view(x), lambda x: x.as_strided((3, 50), (50, 1), 150)],
    ids=["negated", "further on"],
)
def test_what_is_held_is_read_as_it_is(laid: Callable[[Tensor], Tensor]) -> None:
    """And not as the tensor that it is a view of, though shape and strides be the same."""
    base = torch.empty(0).set_(torch.randn(6, 50).untyped_storage(), 0, (3, 50), (50, 1))
    step = laid(base)
    for x in (step.expand(5, 3, 50), step.expand(1, 3, 50)):
        assert torch.equal(LIF(0.7)(x), LIF(0.7)(x.clone())) and LIF(0.7)(x).any()


@pytest.mark.parametrize("learn", [(), ("threshold",)])
def test_spikes_may_be_changed_in_place(learn: tuple[str, ...]) -> None:
    """As by a dropout in place; the gradient knows of it."""
    found = []
    modes: tuple[kernels.Mode, ...] = "fused", "eager"
    for mode in modes:
        x, weight = drawn()
        with kernels.asked(mode):
            spikes = LIF(0.7, learn=learn)(x)
        spikes.mul_(2)[0].zero_()
        found.append((spikes, torch.autograd.grad(spikes, x, weight)[0]))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)


@pytest.mark.parametrize("net", ["neuron", "recurrent"])
def test_spikes_that_are_kept_may_not(net: str) -> None:
    """torch says so."""
    neuron = ZenkeLIF(threshold=0.3)
    layer = neuron if net == "neuron" else layers.Recurrent(neuron, nn.Linear(50, 50))
    spikes = layer(torch.randn(5, 3, 50, requires_grad=True)).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.sum().backward()


@pytest.mark.parametrize("net", ["neuron", "learned", "recurrent"])
def test_a_gradient_of_gradients_is_refused(net: str) -> None:
    """torch would take the gradient for numbers that nothing made."""
    neuron = LIF(0.7, learn=("threshold",) if net == "learned" else ())
    layer = layers.Recurrent(neuron, nn.Linear(50, 50)) if net == "recurrent" else neuron
    x = torch.randn(5, 3, 50, requires_grad=True)
    spikes = layer(x)
    with pytest.raises(TrainingError, match="gradient of gradients"):
        torch.autograd.grad(spikes.sum(), x, create_graph=True)


def test_a_gradient_of_gradients_that_hangs_on_nothing() -> None:
    """What does not fire is linear, and its gradient the same for every input."""
    x = torch.randn(5, 3, 50, requires_grad=True)
    (once,) = torch.autograd.grad(LeakyReadout()(x).sum(), x, create_graph=True)
    assert not once.requires_grad and once.any()
    with pytest.raises(TrainingError, match="gradient of gradients"):
        torch.autograd.grad(LeakyReadout()(x).square().sum(), x, create_graph=True)


Follower = Callable[[nn.Module, Tensor], Any]


def traced(layer: nn.Module, x: Tensor) -> Tensor:
    """By one that writes down operations and runs them on an input of half the size."""
    found: Tensor = make_fx(layer)(x)(x / 2) * 2
    return found


FOLLOWERS: dict[str, Follower] = {
    "grad": lambda layer, x: torch.func.grad(lambda x: layer(x).square().sum())(x),
    "vmap": lambda layer, x: torch.func.vmap(layer)(x[None]),
    "forward": lambda layer, x: torch.func.jvp(layer, (x,), (x,))[1],
    "functionalize": lambda layer, x: torch.func.functionalize(layer)(x),
    "make_fx": traced,
}


@pytest.mark.parametrize("follower", FOLLOWERS)
@pytest.mark.parametrize("net", ["readout", "pool"])
def test_who_follows_torch_sees_every_operation(net: str, follower: str) -> None:
    """And not memory that is written behind torch's back."""
    layer: nn.Module = LeakyReadout() if net == "readout" else layers.AvgPool2d(2)
    x = torch.randn((5, 3, 50) if net == "readout" else (2, 2, 4, 64, 64))
    found = FOLLOWERS[follower](layer, x)
    with kernels.asked("eager"):
        assert torch.equal(found, FOLLOWERS[follower](layer, x))


TRACED = {
    "pool": (layers.AvgPool2d(2), (2, 2, 4, 64, 64)),
    "neuron": (LIF(0.7), (5, 3, 50)),
    "recurrent": (layers.Recurrent(LIF(0.7), nn.Linear(50, 50)), (5, 3, 50)),
    "readout": (LeakyReadout(), (5, 3, 50)),
}


@pytest.mark.parametrize("net", TRACED)
def test_what_is_traced_is_torchs(net: str, tmp_path: Path) -> None:
    """And can be written to a file where there is no surrogate, which torch has no name for."""
    layer, shape = TRACED[net]
    traced: Any = torch.jit.trace(layer, (torch.randn(shape),))  # type: ignore[no-untyped-call]
    x = torch.randn(shape)
    assert torch.equal(traced(x), layer(x)) and traced(x).any()
    if net in ("pool", "readout"):
        torch.jit.save(traced, tmp_path / "net.pt")


def test_neurons_where_something_else_is_the_default_device() -> None:
    """A tensor on the processor stays there, and so does what the kernels make for it."""
    x = torch.randn(5, 3, 50)
    for net in (
        LIF(0.61),
        LIF(0.7, learn=("decay",)),
        layers.Recurrent(LIF(0.7), nn.Linear(50, 50)),
    ):
        on_cpu.silence.cache_clear()
        with torch.device("meta"):
            spikes = net(x.requires_grad_())
            (grad,) = torch.autograd.grad(spikes, x, x)
        again = net(x)
        assert torch.equal(spikes, again) and spikes.any()
        assert torch.equal(grad, torch.autograd.grad(again, x, x)[0])


def test_what_is_held_in_inference_goes_to_neurons_that_learn() -> None:
    """Nobody may keep it for a gradient."""
    neuron = LIF(0.7, learn=("threshold",))
    with torch.inference_mode():
        x = layers.held(torch.randn(3, 50), 5)
    (grad,) = torch.autograd.grad(neuron(x).sum(), list(neuron.parameters()))
    (wanted,) = torch.autograd.grad(neuron(x.clone()).sum(), list(neuron.parameters()))
    assert torch.equal(grad, wanted) and grad.any()


@pytest.mark.parametrize("shape", [[1], [50], [3, 50]])
@pytest.mark.parametrize("name", ["raw_threshold", "learned_decay"])
def test_learned_numbers_of_any_shape(name: str, shape: list[int]) -> None:
    """One for each neuron has no kernel."""
    neuron = LIF(0.7, learn=("decay", "threshold"))
    setattr(neuron, name, nn.Parameter(torch.linspace(-1, 1, math.prod(shape)).view(shape)))
    x = torch.randn(5, 3, 50)
    assert kernels.chosen(neuron, x).reason == f"a learned {name} of shape {shape}"
    neuron(x).sum().backward()
    assert getattr(neuron, name).grad.shape == tuple(shape)


def test_a_learned_value_after_a_spike_gets_its_gradient() -> None:
    neuron = LIF(0.7)
    neuron.v_reset = nn.Parameter(torch.tensor(0.2))  # type: ignore[assignment]
    x = torch.randn(5, 3, 50)
    assert kernels.chosen(neuron, x).reason == "a learned v_reset"
    neuron(x).sum().backward()
    assert neuron.v_reset.grad is not None and neuron.v_reset.grad.any()  # type: ignore[attr-defined]


class Noisy(nn.Module):
    """A weight that is another one whenever it is read."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight + torch.randn_like(weight)


def doubled(linear: nn.Linear) -> None:
    """By a method of this very layer."""
    linear.forward = lambda input: F.linear(input, 2 * linear.weight, linear.bias)  # type: ignore[method-assign]


CHANGES: dict[str, Callable[[nn.Linear], Any]] = {
    "forward": doubled,
    "weight": lambda linear: register_parametrization(linear, "weight", Noisy()),
    "backward hook": lambda linear: linear.register_full_backward_hook(
        lambda _, to, __: tuple(g if g is None else 2 * g for g in to)  # type: ignore[attr-defined]
    ),
    "hook of all": lambda linear: register_module_forward_hook(
        lambda layer, _, out: out * 2 if layer is linear else None
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_way_back_that_was_changed_is_run_step_by_step(change: str) -> None:
    layer = layers.Recurrent(LIF(0.7), nn.Linear(50, 50))
    handle = CHANGES[change](layer.linear)
    found = []
    modes: tuple[kernels.Mode, ...] = "auto", "eager"
    try:
        for mode in modes:
            torch.manual_seed(0)
            x = torch.randn(5, 3, 50, requires_grad=True)
            with kernels.asked(mode):
                spikes = layer(x)
            found.append((spikes, torch.autograd.grad(spikes.sum(), x)[0]))
    finally:
        if change == "hook of all":
            handle.remove()
    for ours, theirs in zip(*found, strict=True):
        assert torch.equal(ours, theirs) and ours.any()


Change = Callable[[Tensor], Tensor]
NETS = {  # net -> shape of an input that its kernels take
    "neuron": (LIF(0.7), (5, 3, 50)),
    "recurrent": (layers.Recurrent(LIF(0.7), nn.Linear(50, 50)), (5, 3, 50)),
    "pool": (layers.AvgPool2d(2), (2, 2, 4, 64, 64)),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(
    ("late", "now"),
    [
        (torch._neg_view, torch.neg),
        (lambda x: torch._efficientzerotensor(x.shape), torch.zeros_like),
    ],
    ids=["negated", "zeros"],
)
def test_values_that_torch_has_not_written_yet(net: str, late: Change, now: Change) -> None:
    """As what comes back from a complex number may be."""
    layer, shape = NETS[net]
    x, y = torch.randn(2, *shape)
    assert torch.equal(layer(late(y)), layer(now(y)))
    out = layer(x.requires_grad_())
    weight = torch.randn(out.shape)
    found = [torch.autograd.grad(out, x, w(weight), retain_graph=True)[0] for w in (late, now)]
    assert torch.equal(*found)


@pytest.mark.parametrize("net", NETS)
def test_tensors_without_memory(net: str) -> None:
    """They have shapes, and go step by step."""
    layer, shape = NETS[net]
    with FakeTensorMode(allow_non_fake_inputs=True):
        fake = torch.empty(shape)
        assert layer(fake).shape == layer(torch.ones(shape)).shape
        assert kernels.chosen(LIF(0.7), fake).reason == "an input that is a FakeTensor"
        with pytest.raises(TrainingError, match="a FakeTensor of shape .* has no memory"):
            layout.at(None, fake)
    assert layout.at(None) == [0]


def test_bits_are_those_of_any_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own and Python's, one and three, with learned numbers."""
    neuron = LIF(0.7, learn=("decay", "threshold"))
    before, found = torch.get_num_threads(), []
    monkeypatch.setattr(threads, "ALONE", 0)
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(ran(neuron, "fused"))
        monkeypatch.setattr(threads, "team", lambda: None)
        found.append(ran(neuron, "fused"))
    finally:
        torch.set_num_threads(before)
    assert equal(found[0], found[1]) and equal(found[0], found[2])
    assert torch.equal(found[0][0], ran(neuron, "eager")[0])


@pytest.mark.skipif(threads.team() is None, reason="torch has no OpenMP of GNU's here")
def test_torchs_threads_live_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that is worth two of them ends none of the others, which torch would begin anew."""
    x = torch.randn(4, 1, 40_000)
    monkeypatch.setattr(threads, "ALONE", 0)
    monkeypatch.setattr(threads, "EACH", x.numel() // 2)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(5)
        torch.add(x, x)
        there = set(os.listdir("/proc/self/task"))
        LIF(0.7)(x)
        torch.add(x, x)
        assert threads.many(20, x.numel()) == 2 and there <= set(os.listdir("/proc/self/task"))
    finally:
        torch.set_num_threads(before)


def test_ctrl_c_waits_for_threads_that_have_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they write to is freed behind it."""
    here, begun, done = threading.get_ident(), threading.Semaphore(0), []

    def loop(job: int) -> None:
        if threading.get_ident() != here:
            begun.release()
            time.sleep(0.3)
            done.append(job)
            return
        for _ in range(2):
            begun.acquire()
        signal.setitimer(signal.ITIMER_REAL, 0.05)  # once all that is left is to wait

    def interrupted(*about: object) -> None:
        raise KeyboardInterrupt

    compiled = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(loop)

    class Loop:
        address = ctypes.cast(compiled, ctypes.c_void_p).value

    monkeypatch.setattr(threads, "team", lambda: None)
    monkeypatch.setattr(threads, "many", lambda blocks, size: 3)
    before = signal.signal(signal.SIGALRM, interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            threads.run(Loop, (), 3, 1)
        assert len(done) == 2
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_child_of_a_fork_has_threads_of_its_own() -> None:
    """OpenMP's would wait for its parent's for ever."""
    code = """
import os, torch
from spikeport.trainer.kernels import threads
from spikeport.trainer.neurons import LIF
torch.set_num_threads(2)
threads.ALONE = 0
x = torch.linspace(-3, 3, 14 * 4 * 9001).view(14, 4, 9001)
wanted = LIF()(x).numpy()
child = os.fork()
if not child:
    os._exit(0 if (LIF()(x).numpy() == wanted).all() and wanted.any() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120)
    assert done.returncode == 0


def test_a_neuron_is_copied_while_another_thread_runs_it() -> None:
    """As an export does, whose proof runs a copy of what is looked at meanwhile."""
    neuron, over, before = LIF(0.7), threading.Event(), sys.getswitchinterval()

    def runs() -> None:
        while not over.is_set():
            way.of_neuron(neuron)
            neuron.v_reset = 0.0

    other = threading.Thread(target=runs)
    sys.setswitchinterval(1e-6)
    try:
        other.start()
        for _ in range(100_000):
            assert kernels.PLANS not in neuron.__getstate__()
    finally:
        over.set()
        sys.setswitchinterval(before)
        other.join()


def test_torch_may_compile_over_it() -> None:
    """Without `trainer.compiled`, which keeps the compiler out of neurons."""
    torch.compiler.reset()
    first = LIF(0.7)
    net = nn.Sequential(first, LIF(0.5, learn=("decay",)))
    made = torch.compile(net, backend="eager")
    x, _ = drawn()
    for value in (0.0, -0.4):
        first.v_reset = value
        assert torch.equal(made(x), net(x)) and made(x).any()


@pytest.mark.parametrize("net", [LeakyReadout(), ZenkeLIF(threshold=0.3)], ids=["readout", "dead"])
def test_what_torch_compiles_does_not_write_behind_its_back(net: nn.Module) -> None:
    """It keeps addresses of tensors that are not there any more."""
    torch.compiler.reset()
    x = torch.randn(5, 3, 6)
    assert torch.equal(torch.compile(net, backend="eager")(x), net(x)) and net(x).any()


def test_what_is_set_on_a_neuron_is_heard() -> None:
    """Its numbers are looked up once, and again when one is set."""
    neuron = LIF(0.7)
    for name, value in (("v_reset", -0.4), ("surrogate", SHAPES["triangle"](0.3))):
        before = ran(neuron, "fused")
        setattr(neuron, name, value)
        after = ran(neuron, "fused")
        assert torch.equal(after[0], ran(neuron, "eager")[0])
        assert not torch.equal(before[1], after[1])
    with torch.no_grad(), kernels.asked("fused"):
        assert neuron(drawn()[0]).grad_fn is None
    for twin in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        assert vars(twin).keys() == vars(LIF()).keys()
        assert equal(ran(twin, "fused"), ran(neuron, "fused"))
    neuron.plain_step = False
    with pytest.raises(ConfigError, match="not the plain one"):
        ran(neuron, "fused")


def test_a_loop_is_compiled_anew_when_what_it_takes_in_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """numba looks at the loop's own file alone; a stale loop would write to wrong memory."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    made = []
    for sources in (1, 2, 1):
        monkeypatch.setattr(pool_loops, "SOURCES", sources)
        pool_loops.forward.__wrapped__(2, 2, 4, False)
        made.append(len(list(tmp_path.rglob("*.nbc"))))
    assert made == [1, 2, 2]
