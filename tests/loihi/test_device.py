"""The emulator's path for GPUs: the same bits as the definition and as the processor's path.

It runs on the processor's memory too (torch:cpu), and its kernel under Triton's interpreter; where
there is a GPU, on that as well.
"""

import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.backends import conformance, registry
from spikeport.backends.loihi import engine
from spikeport.backends.loihi.bounds import FLOAT32
from spikeport.backends.loihi.chip import bound_before
from spikeport.backends.loihi.gpu import bring, device, sums
from spikeport.backends.loihi.gpu.whole import fits
from spikeport.core.chip_nodes import ChipSynapse
from spikeport.core.errors import BackendUnavailable, ConfigError, NetworkError, QuantisationError
from spikeport.core.loihi import SignMode
from spikeport.core.network import Network
from spikeport.core.nodes import Conv, Input, Linear, Output
from spikeport.verify.prepare import prepare

from ..lava.cases import definition, same
from ..lava.crowds import driven, drives
from .test_bounds import chain, graded_dense, population
from .test_random import REFUSALS, grown

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
KERNELS = ("kernel", "int8")
DEVICES = ["torch:cpu", pytest.param("cuda", marks=gpu)]


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Triton's kernels run by its interpreter, on the processor."""
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    found = [importlib.import_module(f"spikeport.backends.loihi.gpu.{n}") for n in KERNELS]
    for module in found:
        importlib.reload(module)  # what a kernel is, is decided when it is defined
    yield
    monkeypatch.delenv("TRITON_INTERPRET")
    for module in found:
        importlib.reload(module)


def run(network: Network, inputs: Any, where: str | None, kernel: str = "fused") -> Any:
    with engine.Loihi(kernel, where).open(network) as session:
        return session.run(inputs, ("all",))


def hold(seed: int, where: str) -> str:
    """What became of a random network."""
    try:
        network, inputs = grown(seed)
    except NetworkError:
        return "no network"
    try:
        got = run(network, inputs, where)
    except QuantisationError:
        return "unbounded"
    except NetworkError as error:
        assert any(word in str(error) for word in (*REFUSALS, "to the host")), error
        return "refused"
    same(definition(network, inputs), got)
    return "equal"


@pytest.mark.parametrize("where", DEVICES)
def test_random_graphs(where: str) -> None:
    count = Counter(hold(seed, where) for seed in range(600, 800))
    assert count["equal"] > 120, count


def test_random_graphs_with_the_kernel(interpreted: None) -> None:
    count = Counter(hold(seed, "torch:cpu") for seed in range(800, 830))
    assert count["equal"] > 18, count


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("name", conformance.BUILDERS)
def test_conformance_cases(name: str, where: str) -> None:
    """u, v and spikes of every case that the emulator runs."""
    case, here = conformance.make(name), engine.Loihi(device="cpu")
    try:
        network = prepare(case.network, here.capabilities(), case.inputs).network
    except NetworkError:
        pytest.skip("refused by name, see tests/conformance")
    wanted, got = run(network, case.inputs, "cpu"), run(network, case.inputs, where)
    for group in ("spikes", "u", "v"):
        there, here_too = getattr(wanted, group), getattr(got, group)
        assert set(there) == set(here_too)
        for node, values in there.items():
            if values.dtype.kind == "f":  # a population on the host, which sums chunk by chunk
                assert np.allclose(values, here_too[node], rtol=0, atol=1e-9), (group, node)
            else:
                assert np.array_equal(values, here_too[node]), (group, node)
    for node, values in wanted.outputs.items():  # a readout on the host sums chunk by chunk
        np.testing.assert_allclose(got.outputs[node], values, rtol=1e-12, atol=1e-12)
    assert got.header["loihi"]["device"] == where.removeprefix("torch:")


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 60),
    steps=st.integers(1, 30),
    reach=st.sampled_from([1, 300, 1 << 14, 1 << 17, 1 << 18]),
)
def test_any_population(seed: int, size: int, steps: int, reach: int) -> None:
    """Every register from all of its range; drives that wrap the current."""
    random = np.random.default_rng(seed)
    network = driven(random, size, reach, 0)
    inputs = drives(random, steps, 3, size)
    same(definition(network, inputs), run(network, inputs, "torch:cpu"))


@pytest.mark.parametrize("reach", [1, 300, 1 << 17, 1 << 18])
def test_any_population_with_the_kernel(interpreted: None, reach: int) -> None:
    """More neurons than a program of the kernel has lanes, with and without records."""
    random = np.random.default_rng(reach)
    network = driven(random, 150, reach, 0)
    inputs = drives(random, 12, 5, 150)
    wanted = definition(network, inputs)
    got = run(network, inputs, "torch:cpu")
    assert got.header["loihi"]["neurons"] == "triton"
    same(wanted, got)
    with engine.Loihi(device="torch:cpu").open(network) as session:
        bare = session.run(inputs)
    for name, values in wanted.outputs.items():
        assert np.array_equal(values, bare.outputs[name])


@gpu
@pytest.mark.parametrize("kernel", engine.KERNELS)
def test_any_population_on_a_gpu(kernel: str) -> None:
    random = np.random.default_rng(9)
    network = driven(random, 5000, 1 << 18, 0)
    inputs = drives(random, 40, 64, 5000)
    same(run(network, inputs, "cpu"), run(network, inputs, "cuda", kernel))


def compiled(
    module: str, name: str, capability: int, arrays: Any, numbers: Any, **fixed: Any
) -> str:
    """PTX, which takes no GPU. arrays, numbers: name -> type, in the order of the arguments."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    kernel = getattr(importlib.import_module(f"spikeport.backends.loihi.gpu.{module}"), name)
    signature = arrays | numbers | dict.fromkeys(fixed, "constexpr")
    source = ASTSource(fn=kernel, signature=signature, constexprs=fixed)
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    ptx: str = made.asm["ptx"]
    assert f".target sm_{capability}" in ptx
    return ptx


@pytest.mark.parametrize("capability", [80, 90])
def test_the_populations_compile_for_a_gpu(capability: int) -> None:
    numbers = {"size": "i32", "lanes": "i64", "steps": "i32", "stride": "i64"}
    for drive, quick in (("*fp32", False), ("*i32", False), ("*i32", True)):
        kind = "*i32" if quick else "*i64"
        of_kind = ("extra", "ku", "kv", "theta", "bias", "u", "v", "rest")
        arrays = {"drive": drive} | dict.fromkeys(of_kind, kind)
        arrays |= {"spikes": "*u8", "us": "*i32", "vs": "*i32"}
        fixed = {"soft": True, "period": 2, "record": True, "quick": quick, "block": 256}
        compiled("kernel", "population", capability, arrays, numbers, **fixed)


@pytest.mark.parametrize("capability", [80, 90])
def test_the_sums_compile_for_a_gpu(capability: int) -> None:
    """To the GPU's own products of int8."""
    from spikeport.backends.loihi.gpu.int8 import DEEP, ROWS

    arrays = {"x": "*i8", "weight": "*i8", "out": "*i32"}
    plain = ("per_map", "columns", "height", "line", "step_y", "step_x", "border_y", "border_x")
    numbers = {"places": "i64"} | dict.fromkeys((*plain, "outputs", "times"), "i32")
    fixed = {"lines": 3, "chunks": 2, "filled": 64, "rows": ROWS, "deep": DEEP, "wide": 32}
    ptx = compiled("int8", "sums", capability, arrays, numbers, **fixed)
    assert re.search(r"mma\S*\.s32\.s8\.s8", ptx)


@pytest.mark.parametrize("where", DEVICES)
def test_odd_sums_just_below_and_over_the_bound(where: str) -> None:
    """2^24 - 1 is held by float32, 2^24 + 1 is not: the bound decides in time. A user's wish for
    quick products changes nothing, and is there again afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        for message, kind in ((1 << 20, "float32"), (1 << 21, "float64")):
            weight = np.array([[8, 6, 0], [8, 2, -2]])
            inputs = {"n0": np.array([[[message, message // 4 + 1, 1.0]]])}
            network = graded_dense(weight)
            got = run(network, inputs, where)
            assert got.header["loihi"]["sums"]["n2"] == f"products in {kind}"
            same(definition(network, inputs), got)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("channels", [7330, 7340])
def test_convolution_sums_at_the_bound(where: str, groups: int, channels: int) -> None:
    """3 x 3 x 7,339 x 254 = 16,776,954 is the last below 2^24."""
    weight = np.full((2, channels, 3, 3), 254)
    weight[1] *= -1
    weight[:, 0, 1, 1] = 2
    network = chain(
        Input((channels * groups, 3, 3), content="spikes"),
        ChipSynapse(Conv(weight, groups=groups)),
        population(2, 1, 1),
        Output((2, 1, 1)),
    )
    inputs = {"n0": np.ones((1, 1, channels * groups, 3, 3), np.uint8)}
    got = run(network, inputs, where)
    wide = 9 * channels * 254 >= FLOAT32
    kind = f"float{64 if wide else 32}"
    if where == "cuda" and groups == 1 and find_spec("triton"):  # spikes, and half of 254
        kind = "int8"
    assert got.header["loihi"]["sums"]["n1"] == f"products in {kind}"
    same(definition(network, inputs), got)


def test_in_parts_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fits at once."""
    case = conformance.make("conv_groups")
    here = engine.Loihi(device="cpu")
    network = prepare(case.network, here.capabilities(), case.inputs).network
    wanted = run(network, case.inputs, "cpu")
    monkeypatch.setattr(sums, "WINDOWS", 1)
    monkeypatch.setattr(device, "ON_CPU", 1)
    same(wanted, run(network, case.inputs, "torch:cpu"))


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("kernel", engine.KERNELS)
def test_chunks_at_once(where: str, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is brought while another runs."""
    network, inputs, seen = *several(), threads_of(monkeypatch)
    same(run(network, inputs, "cpu"), run(network, inputs, where, kernel))
    assert seen == {2}


def test_chunks_in_the_interpreter(interpreted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It bears one kernel at a time: two would run each other's programs."""
    network, inputs, seen = *several(), threads_of(monkeypatch)
    same(run(network, inputs, "cpu"), run(network, inputs, "torch:cpu"))
    assert seen == {1}


def several() -> tuple[Network, Any]:
    """A network, and samples for several chunks."""
    case = conformance.make("conv_groups")
    network = prepare(case.network, engine.Loihi(device="cpu").capabilities(), case.inputs).network
    return network, {name: np.concatenate([x[:4, :1]] * 3, 1) for name, x in case.inputs.items()}


def threads_of(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """How many chunks go at once, once some have run; they are of one sample."""
    seen: set[int] = set()

    def watched(work: Any, jobs: Any, at_once: int, where: str) -> None:
        assert len(jobs) > 2
        seen.add(at_once)
        device.in_turns(work, jobs, at_once, where)

    monkeypatch.setattr(engine, "in_turns", watched)
    monkeypatch.setattr(device, "ON_CPU", 1)
    monkeypatch.setattr(engine, "SOME", 1)
    return seen


@pytest.mark.parametrize("where", DEVICES)
def test_read_only_numbers_are_brought_without_a_word(where: str) -> None:
    """torch warns of memory that it may not write to, once a process; it does not write here."""
    code = f"""
import warnings
import numpy as np
from spikeport.backends.loihi.engine import Loihi
from spikeport.core.chip_nodes import ChipSynapse
from spikeport.core.nodes import Input, Linear, Output
from spikeport.tests.loihi.test_bounds import chain, population

spikes = np.ones((1, 1, 1), np.uint8)
spikes.flags.writeable = False
synapse = ChipSynapse(Linear(np.array([[2.0]])))
network = chain(Input((1,), content="spikes"), synapse, population(1), Output((1,)))
warnings.simplefilter("error")
with Loihi(device="{where}").open(network) as session:
    session.run({{"n0": spikes}}, ("all",))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("where", ["cpu", "torch:cpu"])
def test_sessions_at_once(where: str) -> None:
    """Each as alone, and what they set for the whole process is there again afterwards."""
    network, inputs = several()
    wanted = run(network, inputs, "cpu")
    before = torch.get_float32_matmul_precision(), torch.get_num_threads()
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(2)
    try:
        with ThreadPoolExecutor(3) as pool:
            done = [pool.submit(run, network, inputs, where) for _ in range(9)]
            for one in done:
                same(wanted, one.result())
        assert torch.get_float32_matmul_precision() == "medium"
        with ThreadPoolExecutor(1) as pool:
            assert torch.get_num_threads() == pool.submit(torch.get_num_threads).result() == 2
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.set_num_threads(before[1])


def test_choice_of_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="device is 'gpu'; cpu, cuda"):
        engine.Loihi(device="gpu")
    with pytest.raises(ConfigError, match="device is 'cuda:x'"):
        engine.Loihi(device="cuda:x")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert engine.Loihi(device="auto").device is None
    for name in ("cuda", "cuda:3"):
        with pytest.raises(BackendUnavailable, match="sees 0 GPUs"):
            engine.Loihi(device=name)
    monkeypatch.setenv(device.VARIABLE, "torch:cpu")
    assert engine.Loihi().device == "cpu"
    assert engine.Loihi(device="cpu").device is None


def test_only_the_emulator_has_a_device() -> None:
    assert registry.get("loihi", "torch:cpu").versions()["torch"] == torch.__version__
    with pytest.raises(ConfigError, match="'reference' has no device to choose"):
        registry.get("reference", "cuda")


SYNAPSES = {  # input shape, weight's shape, stride, padding
    "dense": ((70,), (5, 70), (), ()),
    "wide": ((33,), (130, 33), (), ()),
    "kernel": ((3, 9, 7), (4, 3, 3, 2), (2, 1), (1, 0)),
    "border": ((2, 5, 6), (17, 2, 5, 5), (1, 3), (2, 4)),
    "pools": ((4, 8, 8), (3, 4, 6, 6), (2, 2), (2, 2)),
    "axis": ((5, 20), (6, 5, 7), (3,), (2,)),
}


@pytest.mark.parametrize(
    "signs, least, most",
    [(SignMode.EXCITATORY, 0, 127), (SignMode.INHIBITORY, -128, 0), (SignMode.MIXED, -256, 254)],
)
@pytest.mark.parametrize("name", SYNAPSES)
def test_sums_in_int8(interpreted: None, name: str, signs: SignMode, least: int, most: int) -> None:
    """As the floats' own, from the largest numbers that fit."""
    shape, size, stride, padding = SYNAPSES[name]
    random = np.random.default_rng(5)
    step = 1.0 + signs.value[2]
    steps = random.integers(int(least / step), int(most / step) + 1, size)
    weight = steps.astype(np.float64) * step
    weight.flat[:2] = least, most
    inner = Conv(weight, stride=stride, padding=padding) if stride else Linear(weight)
    node = ChipSynapse(inner, sign_mode=signs)
    sample = (*shape[1:], shape[0]) if stride else shape
    for heard, kind in ((1, torch.uint8), (127, torch.int32)):
        x = torch.from_numpy(random.integers(0, heard + 1, (2, 3, *sample))).to(kind)
        bound = bound_before(node, heard)
        one, other = (
            sums.DeviceSynapse(node, shape, heard, bound, "cpu", kernel)
            for kernel in engine.KERNELS
        )
        assert (one.way, other.way) == ("products in int8", "products in float32")
        assert torch.equal(one.run(x), other.run(x).int())


@pytest.mark.parametrize(
    "weight, heard",
    [([[255.0, 0.0]], 1), ([[129.0, 1.0]], 1), ([[1.0, 2.0]], 128)],
)
def test_what_int8_does_not_hold(interpreted: None, weight: Any, heard: int) -> None:
    node = ChipSynapse(Linear(np.array(weight)), sign_mode=SignMode.EXCITATORY, weight_bits=8)
    assert not fits(node.synapse, heard)
    made = sums.DeviceSynapse(node, (2,), heard, 1000 * heard, "cpu")
    assert made.way == "products in float32"


@pytest.mark.parametrize("where", DEVICES)
@pytest.mark.parametrize("size", [(6, 4), (1, 3), (5, 1)])
def test_spikes_are_brought_as_bits(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], where: str
) -> None:
    """Whole ones and a part of the samples; where 8 does not divide them, bytes."""
    monkeypatch.setattr(bring, "MUCH", 0)
    spikes = (np.random.default_rng(3).random((7, 9, *size)) < 0.3).astype(np.uint8)
    held = np.broadcast_to(spikes[:1], spikes.shape)
    for part in (spikes, spikes[:, 2:6], spikes[:, :3], spikes[3:4], held):
        there = bring.spikes_brought(part, where.removeprefix("torch:"))
        assert there.dtype == torch.uint8
        assert np.array_equal(there.cpu().numpy(), part)


def test_a_chunk_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own error, when what had begun is over."""
    done: list[int] = []

    def work(start: int) -> None:
        if start == 3:
            raise QuantisationError("no room")
        done.append(start)

    with pytest.raises(QuantisationError, match="no room"):
        device.in_turns(work, range(0, 20, 3), 2, "cpu")
    assert 0 in done and len(done) < 7
