"""What a library is timed by, in a process and an environment of its own: imports nothing of
spikeport, unless spikeport is what is timed, so that any environment with torch or JAX can run it.

    python -m worker LIBRARY cpu|cuda

Lines of JSON in, lines of seconds out:

    {"shape": [T, B, N]}               a forward and backward pass of one layer
    {"net": "conv", "shape": [T, B]}   a training step of a net: forward, backward, Adam

with "spikes": true a digest, the number of spikes and a sum of their places.

device      where it runs, and its clock
drawn       the numbers that all get
layers      the layer in every library, all steps at once and step by step
on_jax      the layer where there is no torch
nets        small nets around it
timing      passes and their digests
"""
