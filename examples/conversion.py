"""From an ANN to spikes on real digits: what each way of conversion costs, by steps.

python examples/conversion.py
"""

import torch
from torch import nn

from spikeport.trainer import data
from spikeport.trainer.conversion import convert, cost, hybrid, in_tandem, tune
from spikeport.trainer.conversion.convert import Method
from spikeport.trainer.data import DataSet

STEPS = (4, 8, 16, 32, 64, 128)
METHODS: tuple[Method, ...] = ("max", "percentile", "balance")


def trained_ann(found: DataSet, epochs: int = 100) -> nn.Sequential:
    """An ANN of what can be converted, trained on the whole training split at once."""
    torch.manual_seed(0)
    ann = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    x, y = (torch.tensor(values[found.indices("train")]) for values in (found.x, found.y))
    optimiser = torch.optim.Adam(ann.parameters(), lr=1e-2)
    for _ in range(epochs):
        loss = nn.functional.cross_entropy(ann(x), y)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return ann.eval()


def row(name: str, ann: nn.Module, net: nn.Module, found: DataSet) -> None:
    """One way's accuracies on the test split."""
    after = cost(ann, net, found, "test", STEPS).spiking
    print(f"| {name} | " + " | ".join(f"{100 * a:.2f}" for a in after.values()) + " |")


def main() -> None:
    """Print the table."""
    digits = data.load("digits")
    ann = trained_ann(digits)
    print(f"ANN: {100 * cost(ann, ann, digits, 'test', ()).ann:.2f} %")
    print("| T | " + " | ".join(map(str, STEPS)) + " |")
    for method in METHODS:
        row(f"`{method}`", ann, convert(ann, digits, method), digits)
    row("`percentile`, reset to 0", ann, convert(ann, digits, reset="value"), digits)
    net = convert(ann, digits)
    tune(in_tandem(net), digits, 8, epochs=5, lr=1e-3)
    row("`percentile`, then in tandem at T = 8", ann, net, digits)
    start = hybrid(ann, digits, test_first=False)
    row("`hybrid`, untrained", ann, start, digits)
    tune(start, digits, 8, epochs=5, lr=1e-3)
    row("`hybrid`, then trained at T = 8", ann, start, digits)


if __name__ == "__main__":
    main()
