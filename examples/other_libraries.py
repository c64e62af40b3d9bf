"""A model of snnTorch, SpikingJelly and Norse each: trained on real digits in its own library,
lowered, verified on the engines against that very model.

pip install 'spikeport[all]' snntorch spikingjelly
python examples/other_libraries.py [snntorch] [spikingjelly] [norse]
"""

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import spikeport
from spikeport.core.errors import SpikeportError
from spikeport.export.from_torch import theirs
from spikeport.trainer import data
from spikeport.verify.trained import TrainedBaseline

STEPS, EPOCHS, HIDDEN = 8, 60, 64
ENGINES = ("reference", "norse", "loihi")


def of_snntorch() -> tuple[nn.Module, Callable[[nn.Module, Tensor], Tensor]]:
    """Leaky neurons with their defaults: the threshold is taken off one step late."""
    import snntorch as snn
    from snntorch import utils

    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, HIDDEN),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(HIDDEN, HIDDEN),
        snn.Leaky(beta=0.8, init_hidden=True, learn_beta=True),
        nn.Linear(HIDDEN, 10),
    )

    def logits(net: nn.Module, x: Tensor) -> Tensor:
        utils.reset(net)
        return torch.stack([net(now) for now in x]).mean(0)

    return model, logits


def of_spikingjelly() -> tuple[nn.Module, Callable[[nn.Module, Tensor], Tensor]]:
    """Learned time constants and a soft reset, over whole sequences."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate

    model = nn.Sequential(
        layer.Conv2d(1, 8, 3, padding=1, bias=False),
        layer.BatchNorm2d(8),
        neuron.ParametricLIFNode(surrogate_function=surrogate.ATan()),
        layer.MaxPool2d(2),
        layer.Flatten(),
        layer.Linear(8 * 16, HIDDEN),
        neuron.LIFNode(v_reset=None, surrogate_function=surrogate.ATan()),
        layer.Linear(HIDDEN, 10),
    )
    functional.set_step_mode(model, "m")

    def logits(net: nn.Module, x: Tensor) -> Tensor:
        functional.reset_net(net)
        out: Tensor = net(x)
        return out.mean(0)

    return model, logits


def of_norse() -> tuple[nn.Module, Callable[[nn.Module, Tensor], Tensor]]:
    """Cells with a synaptic current, and boxes."""
    import norse.torch as norse
    from norse.torch.functional.lif_box import LIFBoxParameters

    fast = norse.LIFParameters(v_th=torch.tensor(0.3), tau_syn_inv=torch.tensor(400.0))
    model = norse.SequentialState(
        nn.Flatten(),
        nn.Linear(64, HIDDEN),
        norse.LIFBoxCell(LIFBoxParameters(v_th=torch.tensor(0.2))),
        nn.Linear(HIDDEN, HIDDEN),
        norse.LIFCell(fast),
        nn.Linear(HIDDEN, 10),
    )

    def logits(net: nn.Module, x: Tensor) -> Tensor:
        outputs, state = [], None
        for now in x:
            out, state = net(now, state)
            outputs.append(out)
        return torch.stack(outputs).mean(0)

    return model, logits


MODELS: dict[str, Callable[[], tuple[nn.Module, Callable[[nn.Module, Tensor], Tensor]]]] = {
    "snntorch": of_snntorch,
    "spikingjelly": of_spikingjelly,
    "norse": of_norse,
}


def trained(name: str, digits: data.DataSet) -> nn.Module:
    """The model after some epochs on the training split."""
    torch.manual_seed(0)
    model, logits = MODELS[name]()
    order = digits.indices("train")
    x, y = digits.take(order, STEPS)
    inputs, labels = torch.tensor(np.ascontiguousarray(x), dtype=torch.float32), torch.tensor(y)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(EPOCHS):
        for part in torch.randperm(len(order)).split(128):  # type: ignore[no-untyped-call]
            loss = nn.functional.cross_entropy(logits(model, inputs[:, part]), labels[part])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return model.eval()


def main(names: list[str]) -> None:
    """Print a line for every model and engine."""
    digits = data.load("digits")
    x, y = digits.take(digits.indices("test"), STEPS)
    calibration = digits.take(digits.indices("train")[:64], STEPS)[0]
    for name in names or list(MODELS):
        model = trained(name, digits)
        made = theirs.twin(model, digits.shape, readout="mean_t", steps=STEPS)
        network: Any = spikeport.run_passes(made.network, spikeport.PLAIN).network
        baseline = TrainedBaseline(made, network.trained, f"{name}'s model (float64)")
        for engine in ENGINES:
            try:
                result = spikeport.verify(
                    network,
                    [(x, y)],
                    [spikeport.Request(engine)],
                    baseline,
                    calibration=lambda: calibration,
                )
            except SpikeportError as error:
                print(f"{name} on {engine}: refused: {error}")
                continue
            (outcome,) = result.outcomes
            tally = outcome.run.tally
            print(
                f"{name} on {engine}: {'meets' if result.agrees else 'fails'}, "
                f"{tally.differing} differing spikes, {100 * np.mean(tally.correct):.2f} % correct "
                f"(the model {100 * np.mean(tally.baseline_correct):.2f} %) of {tally.samples}"
            )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1:])
