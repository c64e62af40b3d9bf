"""From samples to signals in time. numpy only, so that whoever runs a network can encode too.

    rate              Poisson, signed Poisson
    latency           one spike a pixel: charge, linear, logarithmic
    dct               frequencies one after the other
    events            an event camera's events as frames, by time or by number
    spectrogram       sound as current
    random_manifold   spike times on smooth random manifolds

`choice.ENCODERS` lists what a settings file can name; the last three make data sets.
"""

from .choice import ENCODERS

__all__ = ["ENCODERS"]
