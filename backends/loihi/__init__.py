"""Loihi's integers, vectorised over batch and time: bit for bit what core.interpreter computes.

engine    what it declares, how it opens a network
threads   chunks of samples side by side
joined    their recordings, put together
chip      the chip's part: layer after layer, all steps at once; loops step by step
loops     which nodes go step by step together
bounds    how large sums can become, which decides on the number type
sums      synapses: exact sums of products, dense (torch) or by events (numba)
events    the kernels that add up rows of weights where spikes are
neurons   populations: one fused integer kernel over all steps, or the eager definition
layout    channels last inside, torch's order outside
"""
