"""The emulator on a GPU: the same layers, timing and integers, on torch's tensors.

device     which device is meant, and what it can do
sums       synapses as exact products
neurons    populations: one fused integer kernel over all steps (`kernel`, Triton), or the step
           itself, which is the definition
"""
