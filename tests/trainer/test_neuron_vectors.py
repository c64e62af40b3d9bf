"""What the trained neurons' numbers are on chips and in files, against the vectors."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spikeport.core import loihi, store
from spikeport.core.neuron import State, step
from spikeport.export.from_torch import lower
from spikeport.trainer.neurons import IF, LIF, CubaLIF, Neuron, SpikingJellyLIF, ZenkeLIF
from spikeport.trainer.record import recording


def fired(neuron: Neuron, x: Any) -> Any:
    """Spikes [T] of one neuron in float64, as it fires them."""
    with torch.no_grad(), recording(neuron) as traces:
        neuron.double()(torch.tensor(x, dtype=torch.float64)[:, None, None])
    return traces[""].spikes.flatten().tolist()


def test_loihis_lif_without_a_current_is_tets(vector: Any) -> None:
    inputs, expected = vector("tet_lif_equals_loihi_float")
    keep = {"decay": 1 - inputs["dv"], "threshold": inputs["vth"]}
    assert fired(LIF(**keep), inputs["x"]) == expected["spikes"]
    assert fired(CubaLIF(decay_syn=1 - inputs["du"], **keep), inputs["x"]) == expected["spikes"]


@pytest.mark.parametrize("name", ["loihi_bit_accurate_tet_lif", "loihi_bit_accurate_cuba"])
def test_loihis_integers(vector: Any, name: str) -> None:
    inputs, expected = vector(name)
    du, dv, vth = (np.array(inputs[n], np.int64) for n in ("du", "dv", "vth"))
    registers = loihi.Registers(du, dv, vth, np.array(0, np.int64))
    law, state, found = loihi.law(registers), State(np.int64(0), np.int64(0)), []
    for a in inputs["a"]:
        before = state
        s, state = step(state, np.array(a, np.int64), law)
        v = law.limit_v(law.decay_v(before.v) + law.inject(state.u))  # before the reset
        found.append((int(state.u), int(v), int(s)))
    assert found == list(zip(expected["u"], expected["v"], expected["s"], strict=True))


@pytest.mark.parametrize(
    "row, neuron",
    [
        ("tet", LIF(0.5)),
        ("sj_lif_tau2_decay_input", SpikingJellyLIF(2.0)),
        ("stbp_simple", LIF(0.25)),
        ("bntt_leak0p95", LIF(0.95, reset="subtract")),
        ("zenke_membrane", ZenkeLIF()),
    ],
)
def test_what_nir_calls_the_numbers(vector: Any, row: str, neuron: Neuron) -> None:
    inputs, expected = vector("nir_lif_parameter_mapping")
    node = neuron.node((1,))
    assert float(node.decay_v) == pytest.approx(expected[row]["decay"], abs=1e-9)
    assert float(node.gain_v) == pytest.approx(expected[row]["gain"], abs=1e-9)
    network = lower(nn.Sequential(neuron), (1,), dt=inputs["dt"])
    _, fields = store.as_fields(network)["0"]
    tau = fields["tau_mem" if "tau_mem" in fields else "tau"]
    assert tau.item() == pytest.approx(expected[row]["tau_if_backend_uses_euler"], abs=1e-9)
    assert fields["r"].item() == pytest.approx(expected[row]["R"], abs=1e-9)
    if row == "zenke_membrane":
        synapse = expected["zenke_synapse"]
        assert float(node.decay_u or 0) == pytest.approx(synapse["beta_syn"], abs=1e-9)
        assert fields["tau_syn"].item() == pytest.approx(synapse["tau_syn_euler"], abs=1e-9)
        assert fields["w_in"].item() == pytest.approx(synapse["w_in"], abs=1e-9)


def test_a_bias_on_the_synapse_is_filtered(vector: Any) -> None:
    inputs, expected = vector("bias_through_synapse_vs_loihi_bias_mant")
    wanted = expected["v_bias_via_synapse"]
    neuron = CubaLIF(1 - inputs["dv"], 1 - inputs["du"], threshold=10.0)
    x = torch.full((len(wanted), 1, 1), inputs["b"], dtype=torch.float64)
    with torch.no_grad(), recording(neuron, membrane=True) as traces:
        neuron(x)
    assert traces[""].v is not None
    assert traces[""].v.flatten().tolist() == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("reset, row", [("value", "hard"), ("subtract", "soft")])
def test_a_constant_current_is_a_rate(vector: Any, reset: Any, row: str) -> None:
    inputs, expected = vector("ann2snn_rate_hard_vs_soft_reset")
    for compare in (">", ">="):  # rounding decides 0.3: the vector's 5 is not floor(20 * 0.3)
        counts = []
        for a in inputs["a"]:
            neuron = IF(reset=reset, compare=compare)
            counts.append(sum(fired(neuron, [a] * inputs["T"])))
        assert counts == expected[row]
