"""From a trained ANN to a spiking net, and training between the two.

chain     which ANNs can be converted, layer by layer; the rest is refused by name
scales    what a rate of 1 stands for in each layer: max, percentile, or balanced thresholds
convert   `convert`, and `cost`: the accuracies before and after
"""

from .convert import Cost, convert, cost

__all__ = ["Cost", "convert", "cost"]
