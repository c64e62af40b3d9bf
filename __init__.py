"""spikeport: is the spiking network that runs over there still the one that was trained?"""

__version__ = "0.1.0"
