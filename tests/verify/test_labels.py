"""Labels that the network has no class for."""

import numpy as np
import pytest

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
