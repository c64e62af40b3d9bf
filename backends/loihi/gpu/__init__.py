"""The emulator on a GPU: the same layers, timing and integers, on torch's tensors.

device     which device is meant, and what it can do
bring      spikes to it, as bits
sums       synapses as exact products; in int8 (`whole`, and `int8`, Triton) where all fits
neurons    populations: one fused integer kernel over all steps (`kernel`, Triton), or the step
           itself, which is the definition
"""
