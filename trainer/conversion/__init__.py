"""From a trained ANN to a spiking net, and training between the two.

chain     which ANNs can be converted, layer by layer; the rest is refused by name
scales    what a rate of 1 stands for in each layer: max, percentile, or balanced thresholds
convert   `convert`, and `cost`: the accuracies before and after
tandem    spikes forward, an ANN's layer on counts backward
hybrid    a converted net as the start of training with spikes; `tune` trains it
"""

from .convert import Cost, convert, cost
from .hybrid import hybrid, tune
from .tandem import Tandem, in_tandem

__all__ = ["Cost", "Tandem", "convert", "cost", "hybrid", "in_tandem", "tune"]
