"""Labels that the network has no class for."""

import numpy as np
import pytest
import torch

from spikeport.backends.conformance import make
from spikeport.core.errors import DataError
from spikeport.verify.run import Request, verify


@pytest.mark.parametrize("label", [5, -1])
def test_a_label_beyond_the_classes_is_refused(label: int) -> None:
    case = make("lif_neurons")
    x = case.inputs["in"]
    labels = np.array([0, 4, label])
    with pytest.raises(DataError, match=rf"labels such as {label}; the network has 5 outputs"):
        verify(case.network, [(x, labels)], [Request("reference")])
    assert verify(case.network, [(x, labels.clip(0, 4))], [Request("reference")]).agrees


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 1), ()])
def test_labels_of_another_shape_than_the_batch_are_refused(shape: tuple[int, ...]) -> None:
    case = make("lif_neurons")
    batch = (case.inputs["in"], np.zeros(shape, np.int64))
    with pytest.raises(DataError, match=r"labels have shape .*; a batch of 3 samples"):
        verify(case.network, [batch], [Request("reference")])


def test_tensors_and_lists_are_data_like_arrays() -> None:
    case = make("lif_neurons")
    x = torch.tensor(case.inputs["in"])
    labels = torch.tensor([0, 4, 2])
    engines = [Request("reference"), Request("loihi")]
    given = verify(case.network, [(x, labels)], engines, calibration=lambda: x)  # type: ignore[list-item,arg-type,return-value]
    same = verify(
        case.network, [(x.numpy(), labels.numpy())], engines, calibration=lambda: x.numpy()
    )
    assert given.agrees and given.samples == 3
    for a, b in zip(given.outcomes, same.outcomes, strict=True):
        assert a.run.tally.samples == b.run.tally.samples == 3
        assert a.complaints == b.complaints
