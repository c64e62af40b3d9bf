"""Surrogate-gradient training of spiking nets in PyTorch. Importing this costs no torch.

surrogate, surrogate_forms            how neurons fire, and what flows back through a spike
spiking, neurons, layers, norms       what nets are made of; signals are [T, B, *shape]
models, readouts, losses, optimiser   which net, what it says, what is minimised, and how
data                                  what is learned from; numpy only
regularisers, encoders                what is added to the loss; how samples become time
methods, approximate                  what becomes of it all when the net is deployed
loop                                  `fit`: settings -> Trained, in a folder
checkpoint, evaluate, record          a trained net in a file, how good it is, what it did
conversion                            a trained ANN -> a spiking net
analyses                              what more can be said about it: steps, spikes, landscapes
"""
