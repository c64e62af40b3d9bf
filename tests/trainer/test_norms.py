"""Norms over time: one set of statistics over steps, batch and space."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spikeport.core.errors import NetworkError
from spikeport.trainer.layers import held, is_static
from spikeport.trainer.norms import BatchNorm1d, BatchNorm2d, TdBatchNorm1d, TdBatchNorm2d


def prepared(norm: Any, inputs: dict[str, Any]) -> tuple[Any, Tensor]:
    """The norm with the vector's weights, and its input [T, B, C, H, 1]."""
    norm = norm.double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(inputs["gamma"], dtype=torch.float64))
        norm.bias.copy_(torch.tensor(inputs["beta"], dtype=torch.float64))
    return norm, torch.tensor(inputs["x_TNCL"], dtype=torch.float64)[..., None]


def test_statistics_over_time(vector: Any) -> None:
    inputs, expected = vector("bn_over_time_train")
    norm, x = prepared(BatchNorm2d(2, inputs["eps"]), inputs)
    y = torch.tensor(expected["y"], dtype=torch.float64)[..., None]
    assert torch.allclose(norm(x), y, atol=1e-9, rtol=0)
    assert norm.running_mean.tolist() == pytest.approx(expected["running_mean"], abs=1e-9)
    assert norm.running_var.tolist() == pytest.approx(expected["running_var"], abs=1e-9)


def test_tdbn(vector: Any) -> None:
    inputs, expected = vector("tdbn_train")
    made = TdBatchNorm2d(2, inputs["v_th"], inputs["alpha"], inputs["eps"])
    norm, x = prepared(made, inputs)
    y = torch.tensor(expected["y"], dtype=torch.float64)[..., None]
    assert torch.allclose(norm(x), y, atol=1e-9, rtol=0)


CASES = [
    (BatchNorm1d, (5,)),
    (BatchNorm2d, (5, 3, 2)),
    (lambda c: TdBatchNorm1d(c, 0.5), (5,)),
    (lambda c: TdBatchNorm2d(c, 0.5, 0.7), (5, 3, 2)),
]


@pytest.mark.parametrize("make, shape", CASES)
@pytest.mark.parametrize("batch", [1, 4])
def test_a_held_input_leaves_what_its_copies_leave(
    make: Any, shape: tuple[int, ...], batch: int
) -> None:
    torch.manual_seed(2)
    image = torch.randn(batch, *shape, dtype=torch.float64, requires_grad=True)
    copy = image.detach().clone().requires_grad_()
    once, often = make(5).double(), make(5).double()
    weight = torch.randn(6, batch, *shape, dtype=torch.float64)
    for _ in range(3):
        y, z = once(held(image, 6)), often(copy.expand(6, *copy.shape).contiguous())
        assert torch.allclose(y, z, rtol=1e-10, atol=1e-12)
        (y * weight).sum().backward()
        (z * weight).sum().backward()
    assert once.num_batches_tracked == often.num_batches_tracked == 3
    for name, value in often.state_dict().items():
        assert torch.allclose(once.state_dict()[name], value, rtol=1e-12, atol=1e-15), name
    assert image.grad is not None and copy.grad is not None
    assert torch.allclose(image.grad, copy.grad, rtol=1e-8, atol=1e-10)
    assert torch.allclose(once.weight.grad, often.weight.grad, rtol=1e-8, atol=1e-10)
    assert batch == 1 and len(shape) == 1 or is_static(once(held(image, 6)))


@pytest.mark.parametrize("make, shape", CASES)
def test_gradients(make: Any, shape: tuple[int, ...]) -> None:
    norm = make(5).double()
    x = torch.randn(2, 3, *shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: norm(x), (x, norm.weight, norm.bias))


@pytest.mark.parametrize("make, shape", CASES)
def test_in_eval_mode_it_is_one_affine_map(make: Any, shape: tuple[int, ...]) -> None:
    torch.manual_seed(4)
    norm = make(5).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    for _ in range(5):
        norm(torch.randn(4, 8, *shape, dtype=torch.float64) * 3 + 1)
    norm.eval()
    kept = {k: v.clone() for k, v in norm.state_dict().items()}
    scale = norm.weight * norm.factor / torch.sqrt(norm.running_var + norm.eps)
    shift = norm.bias - norm.running_mean * scale
    x = torch.randn(2, 3, *shape, dtype=torch.float64)
    axes = (5, *(1 for _ in shape[1:]))
    assert torch.allclose(norm(x), x * scale.view(axes) + shift.view(axes), rtol=1e-12)
    assert is_static(norm(held(x[0], 5)))
    assert all(torch.equal(kept[k], v) for k, v in norm.state_dict().items())


def test_they_are_torchs_norms() -> None:
    assert isinstance(TdBatchNorm2d(3), nn.BatchNorm2d)
    assert isinstance(TdBatchNorm1d(3), nn.BatchNorm1d)
    assert (TdBatchNorm2d(3, 0.5, 0.7).factor, BatchNorm2d(3).factor) == (0.35, 1.0)


def test_an_input_without_time_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"\[T, B, C, H, W\]"):
        BatchNorm2d(3)(torch.zeros(4, 3, 2, 2))
