"""Live models of snnTorch, SpikingJelly and Norse -> Network, with what their own NIR exporters
drop: reset rules, refractory steps, amplitudes, comparison at the threshold. Their packages are
never imported here; a model that holds their modules has imported them."""

from .library import library_of
from .lower import Twin, lower, twin

__all__ = ["Twin", "library_of", "lower", "twin"]
