"""Losses and readout are the papers'."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikeport.core.errors import NetworkError
from spikeport.trainer.losses import mse, sdt, tet, total
from spikeport.trainer.readouts import logits


def test_values_and_gradients(vector: Any) -> None:
    inputs, expected = vector("tet_vs_sdt_loss_2x3")
    labels = torch.tensor([inputs["y"]])
    losses: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "SDT": sdt,
        "TET": tet,
        "MSE": lambda o, y: mse(o, inputs["phi"]),
        "TOTAL": lambda o, y: total(o, y, "tet", inputs["lam"], inputs["phi"]),
    }
    for name, loss in losses.items():
        outputs = torch.tensor(inputs["O"], dtype=torch.float64)[:, None].requires_grad_()
        value = loss(outputs, labels)
        assert float(value.detach()) == pytest.approx(expected[f"L_{name}"], abs=1e-9)
        (grad,) = torch.autograd.grad(value, outputs)
        if name != "MSE":
            wanted = torch.tensor(expected[f"dL_{name}_dO"], dtype=torch.float64)
            assert torch.allclose(grad[:, 0], wanted, atol=1e-9)


def test_readout_is_linear_in_the_spikes(vector: Any) -> None:
    inputs, expected = vector("readout_tet_mean_equals_fc_of_mean")
    spikes, weight, bias = (torch.tensor(inputs[k], dtype=torch.float64) for k in "SWb")
    outputs = F.linear(spikes[:, None], weight, bias)
    assert torch.allclose(outputs[:, 0], torch.tensor(expected["O"], dtype=torch.float64))
    assert logits(outputs)[0].tolist() == pytest.approx(expected["O_mean"], abs=1e-9)


def test_jensen(vector: Any) -> None:
    inputs, expected = vector("tet_lemma41_second_step_counterexample")
    outputs = torch.tensor([[[z, 0.0]] for z in inputs["z"]], dtype=torch.float64)
    labels = torch.tensor([0])
    assert float(tet(outputs, labels)) == pytest.approx(expected["L_TET"], abs=1e-9)
    assert float(sdt(outputs, labels)) == pytest.approx(expected["L_SDT"], abs=1e-9)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(2, 6), st.integers(0, 2**31))
def test_tet_is_never_below_sdt(steps: int, batch: int, classes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    outputs = 5 * torch.randn(steps, batch, classes, dtype=torch.float64, generator=generator)
    labels = torch.randint(0, classes, (batch,), generator=generator)
    assert float(tet(outputs, labels)) >= float(sdt(outputs, labels)) - 1e-12
    each = [float(F.cross_entropy(o, labels)) for o in outputs]
    assert float(tet(outputs, labels)) == pytest.approx(sum(each) / steps)
    assert total(outputs, labels, "sdt") == sdt(outputs, labels)


@pytest.mark.parametrize("loss", ["sdt", "tet"])
def test_gradients(loss: Any) -> None:
    outputs = torch.randn(3, 2, 4, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([1, 3])
    assert torch.autograd.gradcheck(lambda o: total(o, labels, loss, 0.3, 0.8), (outputs,))


def test_an_unknown_readout() -> None:
    with pytest.raises(NetworkError, match="'best' is unknown; there are mean_t"):
        logits(torch.zeros(2, 1, 3), "best")
