"""The Triton kernels: the tests of all kernels once more in its interpreter, which takes a process
of its own; down to PTX, which takes no GPU; and on a GPU where there is one."""

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from spikeport.trainer import kernels
from spikeport.trainer.kernels import choice
from spikeport.trainer.kernels.form import Form, Shape
from spikeport.trainer.layers import Recurrent, held
from spikeport.trainer.neurons import LIF

from .test_kernels import COVERED, signal

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
HERE = Path(__file__).parent
EQUAL = "test_kernels.py::test_spikes_are_equal_and_gradients_within_rounding"
QUICK = (
    f"{EQUAL}[cuba learned]",
    f"{EQUAL}[zenke attached]",
    f"{EQUAL}[lif attached]",
    "test_kernels.py::test_a_population_that_hears_itself[cuba learned]",
    "test_kernels.py::test_a_leaky_readout[0.8]",
    "test_kernels.py::test_held_input[4-plif]",
    "test_kernels.py::test_what_this_machine_runs",
    "test_halves.py::test_it_is_the_float32_neuron",
)


def interpreted(*tests: str) -> None:
    """Run tests of this folder in Triton's interpreter."""
    pytest.importorskip("triton")
    named = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", ""]
    done = subprocess.run(
        [*command, *(str(HERE / test) for test in tests)],
        env=named | {"TRITON_INTERPRET": "1"},
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_in_the_interpreter() -> None:
    interpreted(*QUICK)


@pytest.mark.slow
def test_all_in_the_interpreter() -> None:
    interpreted("test_kernels.py", "test_halves.py")


def compiled(
    name: str, kind: str, capability: int, fixed: dict[str, Any], wide_blocks: bool = True
) -> str:
    """PTX of a kernel on rows that a vector of 16 bytes divides."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from spikeport.trainer.kernels import gpu_loops, on_gpu

    wide = "*fp32" if kind == "*bf16" else kind
    arrays = {
        "forward": ("x", "numbers", "spikes", "membranes", "currents", "scratch"),
        "backward": (
            *("grad", "x", "numbers", "membranes", "currents"),
            *("spikes", "grad_x", "sums", "scratch"),
        ),
    }[name]
    signal = ("x", "grad", "spikes", "grad_x")
    signature = {a: kind if a in signal else wide for a in arrays} | {"size": "i32"}
    if name == "backward":
        signature["sums"] = "*fp64"
    attrs = {(n,): [["tt.divisibility", 16]] for n in range(len(signature))}
    signature |= dict.fromkeys(("late", "start", "stop"), "i32")
    tuned = on_gpu.WIDE if wide_blocks else on_gpu.NARROW
    options = tuned.options()
    fixed = fixed | {"block": tuned.block, "stages": tuned.stages}
    signature |= dict.fromkeys(fixed, "constexpr")
    kernel = getattr(gpu_loops, name)
    source = ASTSource(fn=kernel, signature=signature, constexprs=fixed, attrs=attrs)
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    ptx: str = made.asm["ptx"]
    assert f".target sm_{capability}" in ptx
    assert made.asm["cubin"]
    return ptx


def forms() -> Iterator[Form]:
    """All that a neuron can be."""
    for current, reached, subtract in itertools.product((False, True), repeat=3):
        yield Form(current, subtract, reached)
    yield Form(True, False, False, dead=True)
    yield Form(False, False, False, fires=False)
    yield Form(True, False, False, fires=False)


def hold_forward(form: Form, kind: str, capability: int, goes_on: bool = False) -> None:
    """No product and sum are made one, no small number is made 0, and memory goes by 16 bytes."""
    fixed = {**form._asdict(), "keep": True, "keep_u": form.current, "held": False}
    ptx = compiled("forward", kind, capability, fixed | {"goes_on": goes_on})
    assert not re.search(r"\bfma\.|\.ftz", ptx)
    assert re.search(r"\bmul\.rn\.f(32|64)", ptx) and not re.search(r"\b(mul|add|sub)\.f", ptx)
    assert (kind == "*bf16") is ("cvt.rn.bf16x2.f32" in ptx)
    assert re.search(r"cp\.async\.cg\.shared\.global \[[^\n]*, 0x10,|ld\.global\.v4\.b32", ptx)
    assert re.search(r"st\.global\.v(4\.b32|2\.b64)", ptx)


def hold_backward(
    form: Form,
    shape: Shape,
    kind: str,
    capability: int,
    detach: bool = False,
    goes_on: bool = False,
) -> None:
    learn = ("to_decay_v", "to_decay_u", "to_gain_v", "to_bias", "to_threshold", "to_amount")
    fixed = {**form._asdict(), "shape": int(shape), "detach": detach}
    fixed |= {name: form.fires and (name != "to_decay_u" or form.current) for name in learn}
    fixed |= {"to_x": True, "still": False, "held": False, "x_held": False, "goes_on": goes_on}
    ptx = compiled("backward", kind, capability, fixed)
    assert not re.search(r"\b(mul|add|sub)\.f", ptx)
    assert (kind == "*bf16") is ("cvt.rn.bf16x2.f32" in ptx)  # to the nearest


@pytest.mark.parametrize("capability", [80, 90])
def test_they_compile_for_a_gpu(capability: int) -> None:
    for kind in ("*fp32", "*bf16", "*fp64"):
        hold_forward(Form(True, False, False), kind, capability)
        hold_backward(Form(True, False, False), Shape.ATAN, kind, capability)


@pytest.mark.parametrize("kind", ["*fp32", "*bf16"])
def test_they_compile_for_few_neurons(kind: str) -> None:
    """Of a type of 4 bytes, 4 steps ahead."""
    fixed = {**Form(False, False, False)._asdict(), "keep": True, "keep_u": False}
    ptx = compiled("forward", kind, 90, fixed | {"held": False, "goes_on": False}, False)
    assert ("cp.async" in ptx) is (kind == "*fp32")


@pytest.mark.slow
@pytest.mark.parametrize("capability", [80, 90])
def test_all_of_them_compile(capability: int) -> None:
    for form, kind in itertools.product(forms(), ("*fp32", "*bf16", "*fp64")):
        hold_forward(form, kind, capability)
        for detach in (False, True):
            hold_backward(form, Shape.TRIANGLE, kind, capability, detach)
    for shape, kind in itertools.product(Shape, ("*fp32", "*fp64")):
        hold_backward(Form(False, True, False), shape, kind, capability)
    hold_forward(Form(True, False, False, dead=True), "*fp32", capability, goes_on=True)
    hold_backward(
        Form(True, False, False, dead=True), Shape.SIGMOID, "*fp32", capability, goes_on=True
    )


def test_what_is_launched_again_was_compiled_for_the_same() -> None:
    """What Triton itself tells apart, on NVIDIA's GPUs and on AMD's, has different keys."""
    jit = pytest.importorskip("triton.runtime.jit")
    from triton.backends.amd.compiler import HIPBackend
    from triton.backends.nvidia.compiler import CUDABackend

    from spikeport.trainer.kernels.launch import kinds

    if not hasattr(jit, "native_specialize_impl"):
        pytest.skip("this Triton does not say what it tells apart")
    wide = torch.empty((1 << 31) + 32, dtype=torch.uint8)  # no page of it is touched
    arrays = [wide, wide[1:], wide[:64].clone(), wide[:64].clone()[1:], wide[:64].float()]
    known: dict[Any, Any] = {}
    sizes = 1, 2, 17, (1 << 31) - 1, 16, 48, 1 << 31, 1 << 35  # of four kinds
    for array, size in itertools.product(arrays, sizes):
        told = [
            jit.native_specialize_impl(backend, given, False, True, True)
            for backend in (CUDABackend, HIPBackend)
            for given in (array, size)
        ]
        assert known.setdefault(kinds([array], size), told) == told
    assert len(known) == 4 * len(arrays)


def test_what_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.INTERPRETER, raising=False)
    assert [choice.engine_of(device) for device in ("cpu", "cuda")] == ["numba", "triton"]
    monkeypatch.setenv(choice.INTERPRETER, "1")
    assert choice.engine_of("cpu") == "triton"
    assert choice.missing("mps") == "no kernel for mps"
    if not torch.cuda.is_available():
        assert "sees no GPU" in kernels.on_this_machine()["cuda"]
    choice.no_compiler.cache_clear()
    monkeypatch.setenv("CC", "/no/such/cc")
    why = choice.missing("cuda")
    choice.no_compiler.cache_clear()
    assert why in ("triton needs a C compiler, and /no/such/cc is not there", NO_TRITON)


NO_TRITON = "triton is not installed"


@gpu
@pytest.mark.parametrize("kind", COVERED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 3, 37), (5, 64, 33, 129)])
def test_on_a_gpu(kind: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Eager torch there and the CPU's kernels fire the same spikes; gradients are eager's."""
    neuron = COVERED[kind](1.0).to(torch.float64 if dtype == torch.float64 else torch.float32)
    x = signal(1, shape, torch.float64).to(dtype)
    here = neuron(x)
    neuron, weight = neuron.cuda(), torch.linspace(-1, 1, x.numel()).view(shape).to(x).cuda()
    found: list[list[torch.Tensor]] = []
    for mode in ("fused", "fused", "eager"):
        given = x.cuda().requires_grad_()
        with kernels.asked(mode):
            spikes = neuron(given)
        told = (given, *neuron.parameters())
        nothing = torch.stack([g.sum() for g in told]).sum() * 0  # few steps may say nothing
        total = (spikes * weight).sum() + nothing
        found.append([spikes, *torch.autograd.grad(total, told)])
    assert torch.equal(found[0][0].cpu(), here)
    assert all(map(torch.equal, found[0], found[1]))
    assert torch.equal(found[0][0], found[2][0])
    bound = {torch.float32: 2**-17, torch.float64: 1e-12, torch.bfloat16: 2**-8}[dtype]
    for got, right in zip(found[0][1:], found[2][1:], strict=True):
        most = float(found[2][1].abs().max())
        most = most if right.ndim else 4 * x.numel() * max(most, 1.0)
        assert float((got - right).abs().max()) <= bound * max(most, 1e-30)


@gpu
def test_scans_and_held_inputs_on_a_gpu() -> None:
    torch.manual_seed(1)
    layer = Recurrent(LIF(0.7), torch.nn.Linear(300, 300)).cuda()
    image = signal(2, (17, 300)).cuda().requires_grad_()
    found = []
    for mode in ("fused", "eager"):
        with kernels.asked(mode):
            spikes = layer(held(image, 20))
            assert kernels.chosen(layer.neuron, held(image, 2)).fused is (mode == "fused")
        found.append((spikes, torch.autograd.grad(spikes.sum(), (image, *layer.parameters()))))
    assert torch.equal(found[0][0], found[1][0])
    for got, right in zip(found[0][1], found[1][1], strict=True):
        assert float((got - right).abs().max()) < 1e-4 * float(right.abs().max())
