"""Loihi's integers, vectorised over batch and time: bit for bit what core.interpreter computes.

engine    what it declares, how it opens a network
session   host parts, chunks of samples, recordings
chip      the chip's part: layer after layer, all steps at once; loops step by step
bounds    how large sums can become, which decides on the number type
sums      synapses: exact sums of products, dense (torch) or by events (numba)
events    the kernels that add up rows of weights where spikes are
neurons   populations: one fused integer kernel over all steps, or the eager definition
layout    channels last inside, torch's order outside
"""
