"""A lowered network as a torch module: to be trained on, in real numbers or in the chip's integers.

start         what fine-tuning starts from, and how a checkpoint holds it
net           the module: one graph, node by node, over all steps
maps          its weighted layers and pools
populations   its neurons
kernel        the chip's neurons over all steps at once, on the CPU
straight      whole numbers forward, the real numbers' gradient backward
"""

from .net import GraphNet
from .start import Start

__all__ = ["GraphNet", "Start"]
