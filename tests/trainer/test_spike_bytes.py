"""Spikes kept in a byte each: the same bits everywhere, less kept, and nothing taken for spikes
that is none."""

import gc
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

from spikeport.core import settings
from spikeport.core.errors import ConfigError, TrainingError
from spikeport.core.settings import (
    ConvNet,
    DeepNet,
    FeedForwardNet,
    RecurrentNet,
    ResNet,
    Run,
    SewNet,
    Train,
    TrainConfig,
)
from spikeport.trainer import kernels
from spikeport.trainer.layers import Conv2d, Flatten, Linear, MaxPool2d
from spikeport.trainer.loop import fit
from spikeport.trainer.machine import seed_all
from spikeport.trainer.models import build
from spikeport.trainer.neurons import IF, LIF
from spikeport.trainer.potential import potential
from spikeport.trainer.readouts.layers import LeakyReadout
from spikeport.trainer.spike_bytes import (
    Held,
    Kept,
    Ledger,
    SpikeBytes,
    Spikes,
    _here,
    alike,
    fired,
    in_bytes,
    spike_bytes,
)
from spikeport.trainer.surrogate import ForwardSigmoid

SHAPE, STEPS = (1, 8, 8), 4
LEARNED = settings.Lif(learn=("decay", "threshold"), detach_reset=False)
ZENKE = settings.Zenke(threshold=0.1, detach_reset=False)
SMALL: dict[str, Any] = {"channels": (4, 6), "blocks": (1, 1), "strides": (1, 2), "hidden": 9}
NETS: dict[str, Any] = {
    "conv": ConvNet(channels=(4, 6), pool="max", neuron=LEARNED),
    "pools": ConvNet(channels=(4, 6), norm="psp-bn"),
    "resnet": ResNet(**SMALL, stem_channels=4),
    "sew": SewNet(channels=4, stages=2, blocks=1, join="iand", neuron=LEARNED),
    "deep": DeepNet(channels=(4, 6), blocks=1, order="post", norm="mobn"),
    "recurrent": RecurrentNet(hidden=(12, 9), norm="none", neuron=LEARNED),
    "dead step": RecurrentNet(hidden=(12,), neuron=ZENKE),
    "spikes out": FeedForwardNet(hidden=(12, 12), readout="count", dropout=0.3),
}
KINDS = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def net(name: str) -> nn.Module:
    seed_all(3)
    return build(NETS[name], SHAPE, 3).train()


def passed(
    model: nn.Module, inner: nn.Module, kind: torch.dtype = torch.float32
) -> list[Tensor | None]:
    """Loss, outputs and every gradient; a half is a matter of autocast."""
    seed_all(5)
    x = (torch.rand(STEPS, 4, *SHAPE) < 0.4).to(torch.promote_types(kind, torch.float32)) * 2
    x.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16):
        outputs = model(x)
    weight = torch.linspace(-1, 1, outputs.numel(), dtype=outputs.dtype).view(outputs.shape)
    loss = (outputs * weight).sum()
    return [loss, outputs, *torch.autograd.grad(loss, [x, *inner.parameters()], allow_unused=True)]


def equal(found: list[Tensor | None], wanted: list[Tensor | None]) -> bool:
    assert any(g is not None and g.any() for g in wanted[2:])
    pairs = zip(found, wanted, strict=True)
    return all(b is None if a is None else b is not None and torch.equal(a, b) for a, b in pairs)


@contextmanager
def packing() -> Iterator[list[tuple[Tensor, Kept]]]:
    """A list of what is to be kept, and of what is kept in its place."""
    seen: list[tuple[Tensor, Kept]] = []
    pack = Ledger.pack

    def packed(self: Ledger, x: Tensor) -> Kept:
        kept = pack(self, x)
        seen.append((x.detach(), kept))
        return kept

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "pack", packed)
        yield seen


def size(tensors: list[Tensor]) -> int:
    """Bytes of their memory, shared memory counted once."""
    return sum({t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}.values())


def memory_of(kept: Kept) -> Tensor:
    inner = kept.kept if isinstance(kept, Spikes) else kept
    assert isinstance(inner, Held)
    return inner.x


@pytest.mark.parametrize("mode", ["auto", "eager"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETS)
def test_the_same_bits(name: str, kind: str, mode: kernels.Mode) -> None:
    """Loss, outputs and gradients."""
    plain = net(name).to(torch.promote_types(KINDS[kind], torch.float32))
    start = {key: value.clone() for key, value in plain.state_dict().items()}
    with kernels.asked(mode):
        wanted = passed(plain, plain, KINDS[kind])
        plain.load_state_dict(start)  # running moments
        with packing() as seen:
            found = passed(SpikeBytes(plain), plain, KINDS[kind])
    assert equal(found, wanted)
    assert any(isinstance(kept, Spikes) for _, kept in seen)


@pytest.mark.parametrize("name", ["conv", "resnet", "sew", "recurrent", "dead step"])
def test_less_is_kept(name: str) -> None:
    """By three bytes a spike, once for all layers that keep the same ones."""
    plain = net(name)
    x = (torch.rand(STEPS, 4, *SHAPE) < 0.4).float() * 2
    whole: list[Tensor] = []

    def watched(saved: Tensor) -> Tensor:
        whole.append(saved.detach())
        return whole[-1]

    with saved_tensors_hooks(watched, lambda saved: saved):
        outputs = plain(x)
    with packing() as seen:
        again = SpikeBytes(plain)(x)
    parts = [memory_of(kept) for _, kept in seen]
    bytes_of_spikes = size([p for p in parts if p.dtype == torch.uint8])
    assert bytes_of_spikes > 0
    assert size(whole) - size(parts) == 3 * bytes_of_spikes
    assert size([x for x, kept in seen if isinstance(kept, Spikes)]) == 4 * bytes_of_spikes
    for saved, kept in seen:  # and all that is 0 and 1 is among them
        if saved.numel() > 50 and saved.any() and not saved.all():
            assert isinstance(kept, Spikes) or not ((saved == 0) | (saved == 1)).all()
    del outputs, again


def test_who_keeps_the_same_spikes_shares_their_bytes() -> None:
    """A layer and a shortcut; the way back of a recurrent layer and the layer behind it."""
    block = nn.ModuleList([LIF(), Conv2d(3, 3, 3), Conv2d(3, 3, 1)])
    with packing() as seen, in_bytes():
        spikes = block[0](torch.rand(3, 2, 3, 5, 5, requires_grad=True) * 3)
        out = block[1](spikes), block[2](spikes)
    found = [kept for _, kept in seen if isinstance(kept, Spikes)]
    assert len(found) == 2 and found[0].kept is found[1].kept
    del out
    with packing() as seen:
        SpikeBytes(net("recurrent"))(torch.rand(STEPS, 2, *SHAPE) * 5)
    found = [kept for _, kept in seen if isinstance(kept, Spikes)]
    assert len(found) == 4 and len({id(kept.kept) for kept in found}) == 2


def spikes_of(shape: tuple[int, ...], kind: torch.dtype = torch.float32) -> Tensor:
    return (torch.rand(shape) < 0.3).to(kind)


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "whole": lambda s: s,
    "flat": lambda s: s.flatten(0, 1),
    "channels last": lambda s: s.permute(0, 1, 3, 2),
    "one step": lambda s: s[3],
    "odd offset": lambda s: s.flatten()[7:].view(-1, 1),
    "gaps": lambda s: s[:, :, ::2, 1:],
    "expanded": lambda s: s[:1].expand(5, -1, -1, -1),
    "a number": lambda s: s[2, 1, 3, 4],
    "windows": lambda s: s.as_strided((4, 4), (3, 1), 2),
}


@pytest.mark.parametrize("kind", [*KINDS.values(), torch.float16])
@pytest.mark.parametrize("view", VIEWS)
def test_views_come_back_as_they_were(view: str, kind: torch.dtype) -> None:
    """Values, type, layout, and where their memory begins within a line of the processor's."""
    spikes = spikes_of((4, 2, 9, 5), kind)
    ledger = Ledger(None)
    ledger.note(spikes)
    x = VIEWS[view](spikes)
    kept = ledger.pack(x)
    found = kept.get()
    assert isinstance(kept, Spikes) and memory_of(kept).numel() == spikes.numel()
    assert torch.equal(found, x) and found.dtype == x.dtype and found.stride() == x.stride()
    assert (found.data_ptr() - x.data_ptr()) % 16 == 0


def kept_of(make: Callable[[], Tensor]) -> Kept:
    """What a product keeps of a tensor that is made under the hooks."""
    weight = torch.ones((), requires_grad=True)
    with packing() as seen, in_bytes():
        x = make()
        out = x * weight
    (kept,) = (kept for saved, kept in seen if saved.shape == x.shape and saved.ndim)
    assert torch.equal(kept.get(), x)
    del out
    return kept


def fire() -> Tensor:
    with torch.no_grad():
        spikes: Tensor = LIF()(torch.rand(3, 2, 5, 6, 6) * 3)
    assert spikes.any() and not spikes.all()
    return spikes


def written(write: Callable[[Tensor], object]) -> Tensor:
    spikes = fire()
    write(spikes)
    return spikes


def through_a_view(s: Tensor) -> None:
    s.flatten()[3:4] = 0.25


def beside(spikes: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
    """What is made of spikes, which live as long; autograd counts no write to them."""
    made = make(spikes)
    made.spikes = spikes  # type: ignore[attr-defined]
    return made


OTHERS: dict[str, Callable[[], Tensor]] = {
    "written to": lambda: written(lambda s: s.mul_(0.5)),
    "written to through a view": lambda: written(through_a_view),
    "a detached one, written to before": lambda: written(lambda s: s.mul_(0.5)).detach(),
    "unknown to autograd, written to before": lambda: written(lambda s: s.mul_(0.5)).data,
    "given other memory": lambda: written(
        lambda s: s.set_(torch.rand(3, 2, 5, 6, 6).untyped_storage())
    ),
    "graded": lambda: fire() * 0.5,
    "of a sum": lambda: fire() + fire(),
    "in another type": lambda: beside(fire(), lambda s: s.view(torch.float16)),
    "an alias that was written to": lambda: beside(fire(), lambda s: s.data.mul_(0.5)),
    "equal to spikes": lambda: fire().clone(),
    "a pool": lambda: nn.functional.avg_pool2d(fire().flatten(0, 1), 2),
    "a membrane": lambda: LeakyReadout()(fire()),
    "a potential": lambda: potential(fire(), 2.0),
    "of a smooth neuron": lambda: LIF(surrogate=ForwardSigmoid(0.3))(torch.rand(3, 2, 5)),
    "a max pool whose windows have gaps": lambda: MaxPool2d(2, 1, 1, 2)(fire()),
    "told of with no spikes": lambda: alike(torch.zeros(9)),
    "a longer memory": lambda: fired(torch.zeros(9)[:6]),
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_is_no_spikes_is_kept_as_it_is(what: str) -> None:
    assert isinstance(kept_of(OTHERS[what]), Held)


SAME: dict[str, Callable[[], Tensor]] = {
    "as they are": fire,
    "of a max pool in a border": lambda: MaxPool2d(2, padding=1)(fire()),
    "of a max pool": lambda: MaxPool2d(2)(fire()),
    "copied in a flatten": lambda: Flatten()(fire().transpose(3, 4)),
    "written to before they were told of": lambda: alike(fire().mul_(1.0), fire()),
}


@pytest.mark.parametrize("what", SAME)
def test_what_is_spikes_is_kept_as_bytes(what: str) -> None:
    assert isinstance(kept_of(SAME[what]), Spikes)


def test_memory_that_is_used_again_is_not_taken_for_spikes() -> None:
    weight = torch.ones((), requires_grad=True)
    places, again = set(), 0
    with packing() as seen, in_bytes():
        for n in range(40):
            spikes = fired(spikes_of((64, 64)))
            places.add(spikes.data_ptr())
            del spikes
            other = torch.full((64, 64), 0.5 + n)
            again += other.data_ptr() in places
            other * weight
    assert again and len(seen) >= 40
    assert all(isinstance(kept, Held) for _, kept in seen)


def test_views_that_hooks_outside_are_handed_are_no_larger_than_they_are() -> None:
    sizes: list[int] = []
    layer, x = Linear(64, 8), torch.rand(40, 8, 64) * 3

    def watched(kept: Tensor) -> Tensor:
        sizes.append(kept.nbytes)
        return kept

    with saved_tensors_hooks(watched, lambda kept: kept):
        with in_bytes():
            spikes = LIF()(x.requires_grad_())
            out = sum(layer(spikes[t : t + 1]).sum() for t in range(40))
    assert isinstance(out, Tensor)
    (found,) = torch.autograd.grad(out, layer.weight)
    (right,) = torch.autograd.grad(
        sum(layer(s).sum() for s in LIF()(x).split(1)),
        layer.weight,
    )
    assert torch.equal(found, right)
    assert sizes.count(8 * 64) == 40 and sum(sizes) < 4 * x.nbytes


def test_a_write_after_the_forward_pass() -> None:
    """To weights it is refused, as torch does by itself; of spikes there is a copy."""
    layer = Linear(6, 4)
    x = torch.rand(3, 2, 6) * 3
    for write in (True, False):
        with in_bytes():
            spikes = LIF()(x.requires_grad_())
            out = layer(spikes)
        with torch.no_grad():
            spikes.zero_() if not write else layer.weight.mul_(1.0)
        if write:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                out.sum().backward()
        else:
            (grad,) = torch.autograd.grad(out.sum(), layer.weight)
            assert grad.any()


def test_a_second_backward_pass_of_fused_kernels() -> None:
    """With the graph kept it is the first one again; without, torch refuses it."""
    plain = net("conv")
    x = torch.rand(STEPS, 2, *SHAPE) * 3
    weights = list(plain.parameters())
    out = SpikeBytes(plain)(x).square().sum()
    first = torch.autograd.grad(out, weights, retain_graph=True)
    second = torch.autograd.grad(out, weights)
    assert all(map(torch.equal, first, second))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(out, weights)


def test_memory_that_a_kernel_took_is_not_read_again() -> None:
    """A backward pass that fails after it may not be done once more."""
    neuron, layer = LIF(), Linear(6, 6)
    with in_bytes():
        heard = layer(torch.rand(3, 2, 6) * 3)
        out = neuron(heard)
    heard.register_hook(lambda grad: 1 / 0)
    for error in (ZeroDivisionError, RuntimeError):
        with pytest.raises(error):
            out.sum().backward()


def test_gradients_of_gradients() -> None:
    plain = net("conv")
    x = torch.rand(STEPS, 2, *SHAPE) * 3

    def twice(model: nn.Module) -> list[Tensor | None]:
        seed_all(1)
        weights = [w for w in plain.parameters() if w.ndim > 1]
        first = torch.autograd.grad(model(x).square().sum(), weights, create_graph=True)
        slope = torch.stack([g.square().sum() for g in first]).sum()
        return [slope, slope, *torch.autograd.grad(slope, weights)]

    with kernels.asked("eager"):
        assert equal(twice(SpikeBytes(plain)), twice(plain))
    with pytest.raises(TrainingError, match="create_graph"):
        twice(SpikeBytes(plain))


def test_hooks_of_others() -> None:
    """Inside they are the ones that are asked; outside they are handed the bytes."""
    plain = nn.Sequential(Linear(6, 6), LIF(), Linear(6, 4))
    x = torch.rand(3, 2, 6) * 3

    def of(model: nn.Module, seen: list[torch.dtype] | None = None) -> list[Tensor | None]:
        def pack(saved: Tensor) -> Tensor:
            assert seen is not None
            seen.append(saved.dtype)
            return saved.detach().clone()

        if seen is None:
            out = model(x)
        else:
            with saved_tensors_hooks(pack, lambda kept: kept):
                out = model(x)
        loss = out.square().sum()
        return [loss, out, *torch.autograd.grad(loss, list(plain.parameters()))]

    class Inside(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            with saved_tensors_hooks(lambda saved: saved.detach(), lambda kept: kept):
                out: Tensor = plain(x)
            return out

    wanted = of(plain)
    seen: list[torch.dtype] = []
    assert equal(of(SpikeBytes(plain), seen), wanted)
    assert seen.count(torch.uint8) == 1 and seen.count(torch.float32) > 2
    with packing() as ours:
        assert equal(of(SpikeBytes(Inside())), wanted)
    assert not ours
    assert equal(of(SpikeBytes(SpikeBytes(plain))), wanted)


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_recomputation(where: str) -> None:
    """torch.utils.checkpoint around the net, or within it."""
    plain = nn.Sequential(Linear(6, 6), LIF(), Linear(6, 6), LIF(), Linear(6, 4))
    x = torch.rand(3, 2, 6) * 3

    class Again(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = checkpoint(self.net, x, use_reentrant=False)
            return out

    def of(model: nn.Module) -> list[Tensor | None]:
        out = model(x)
        loss = out.square().sum()
        return [loss, out, *torch.autograd.grad(loss, list(plain.parameters()))]

    made = SpikeBytes(Again(plain)) if where == "inside" else Again(SpikeBytes(plain))
    assert equal(of(made), of(plain))


def test_inputs_that_are_no_numbers() -> None:
    """Their spikes are 0 or 1 all the same, and anomalies are told of as ever."""
    layer = Linear(6, 4)
    x = torch.rand(3, 2, 6) * 3
    x[1, 0, 2] = torch.nan
    found = []
    for model in (nn.Sequential(LIF(), layer), SpikeBytes(nn.Sequential(LIF(), layer))):
        with warnings.catch_warnings(), torch.autograd.set_detect_anomaly(True, check_nan=False):
            given = x.clone().requires_grad_()
            found.append(torch.autograd.grad(model(given).sum(), [given, layer.weight]))
    assert all(torch.equal(a.nan_to_num(7), b.nan_to_num(7)) for a, b in zip(*found, strict=True))


def test_nothing_stays_behind() -> None:
    """After an error, in other threads, and outside."""

    class Odd(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("odd")

    with packing() as seen:

        def kept() -> bool:
            before = len(seen)
            nn.Sequential(LIF(), Linear(6, 4))(torch.rand(3, 2, 6) * 3)
            return len(seen) > before

        with pytest.raises(ValueError, match="odd"):
            SpikeBytes(Odd())(torch.zeros(1))
        assert not kept()
        found: list[bool] = []
        with in_bytes():
            with pytest.raises(ValueError, match="odd"):
                SpikeBytes(Odd())(torch.zeros(1))
            other = threading.Thread(target=lambda: found.extend((kept(), _here() is not None)))
            other.start()
            other.join()
            assert kept() and found == [False, False]
        assert not kept()


def test_where_nothing_is_kept() -> None:
    plain = net("conv").eval()
    x = torch.rand(STEPS, 2, *SHAPE) * 3
    wanted = plain(x)
    with torch.no_grad():
        assert torch.equal(SpikeBytes(plain)(x), wanted)
    with torch.inference_mode():
        assert torch.equal(SpikeBytes(plain)(x), wanted)
    with in_bytes():  # tensors of torch.func have no memory of their own
        spikes = LIF()(torch.rand(3, 2, 1, 1, 4, 4))
        assert torch.func.vmap(MaxPool2d(2), in_dims=1)(spikes).shape == (2, 3, 1, 1, 2, 2)


def test_frozen_layers_keep_bytes_too() -> None:
    """Spikes that no gradient flows to are an input of weights that get one."""
    front, layer = IF(), Linear(6, 4)
    with packing() as seen, in_bytes():
        with torch.no_grad():
            spikes = front(torch.rand(3, 2, 6) * 3)
        out = layer(spikes)
    assert [isinstance(kept, Spikes) for _, kept in seen].count(True) == 1
    del out


def test_halves_that_autocast_makes() -> None:
    """A layer keeps the copy that it hears."""
    layer = Linear(6, 4)
    with torch.autocast("cpu", torch.bfloat16), packing() as seen, in_bytes():
        out = layer(LIF()(torch.rand(3, 2, 6) * 3))
    (kept,) = (kept for _, kept in seen if isinstance(kept, Spikes))
    assert kept.get().dtype == torch.bfloat16
    del out


def test_a_graph_that_is_dropped_is_freed() -> None:
    """At once: what is kept does not lead back to what keeps it."""
    gc.disable()
    try:
        with packing() as seen, in_bytes():
            out = Linear(6, 4)(LIF()(torch.rand(3, 2, 6) * 3)).exp().sigmoid()
        left = [weakref.ref(kept) for _, kept in seen]
        seen.clear()
        assert any(ref() is not None for ref in left)
        del out
        assert all(ref() is None for ref in left)
    finally:
        gc.enable()


def config(**run: Any) -> TrainConfig:
    return TrainConfig(
        data=settings.Data(name="digits", steps=3, samples=192),
        model=ConvNet(channels=(4, 6), pool="max", dropout=0.2),
        train=Train(epochs=1, batch=64),
        run=Run(accelerator="cpu", progress=False, loggers=("csv",), threads=1, **run),
    )


def test_a_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    plain = fit(config(), tmp_path / "plain")
    with packing() as seen:
        lean = fit(config(spike_bytes=True), tmp_path / "lean")
    assert any(isinstance(kept, Spikes) for _, kept in seen)
    wanted = plain.model.state_dict()
    assert list(wanted) == list(lean.model.state_dict())
    assert all(torch.equal(value, wanted[name]) for name, value in lean.model.state_dict().items())


def test_what_cannot_be() -> None:
    made = config(spike_bytes=True)
    assert spike_bytes(nn.Identity(), config()).training
    assert isinstance(spike_bytes(nn.Identity(), made), SpikeBytes)
    for key in ("spikes", "upper", "lower", "total_spikes"):
        heard = Train.model_validate({"regularisers": {key: 1.0}})
        with pytest.raises(ConfigError, match=f"regularisers.{key} keeps the spikes"):
            spike_bytes(nn.Identity(), made.model_copy(update={"train": heard}))
    with pytest.raises(ConfigError, match="run.checkpoint_steps is 4"):
        spike_bytes(nn.Identity(), config(spike_bytes=True, checkpoint_steps=4))
