"""Name -> engine. Engines are imported at first use; others join through an entry point."""

import importlib
from dataclasses import dataclass
from importlib.metadata import entry_points
from inspect import signature
from typing import cast

from ..core.errors import BackendUnavailable, ConfigError, UnknownBackend
from .protocol import Backend

GROUP = "spikeport.backends"  # entry points of other packages: name = "module:Class"


@dataclass(frozen=True)
class Entry:
    """Where an engine lives, and what has to be installed for it."""

    place: str  # module:Class
    extra: str = ""  # of this package
    says: str = ""
    optional: bool = False  # not in the extra `all`: another library, whose users bring it


BUILT_IN = {
    "reference": Entry("spikeport.backends.reference:Reference", "", "the definition, float64"),
    "norse": Entry("spikeport.backends.norse:Norse", "norse", "Norse on torch, float64"),
    "snntorch": Entry(
        "spikeport.backends.snn_torch:SnnTorch", "snntorch", "snnTorch's neurons, float64", True
    ),
    "spikingjelly": Entry(
        "spikeport.backends.spiking_jelly:SpikingJelly",
        "spikingjelly",
        "SpikingJelly's neurons, float64",
        True,
    ),
    "sinabs": Entry(
        "spikeport.backends.sinabs_layers:Sinabs", "sinabs", "Sinabs' layers, float64", True
    ),
    "brian2": Entry("spikeport.backends.brian:Brian", "brian2", "Brian 2 on numpy, float64", True),
    "nengo": Entry("spikeport.backends.nengo_sim:Nengo", "nengo", "Nengo, float64", True),
    "loihi": Entry(
        "spikeport.backends.loihi.engine:Loihi", "loihi", "Loihi's integers, on any Python"
    ),
    "lava-float": Entry(
        "spikeport.backends.lava:LavaFloat", "lava", "Lava's floating-point models, Python 3.10"
    ),
    "lava-fixed": Entry(
        "spikeport.backends.lava:LavaFixed", "lava", "Lava's Loihi integers, Python 3.10"
    ),
}


def known() -> dict[str, Entry]:
    """Every engine's name, ours first."""
    found = dict(BUILT_IN)
    for point in entry_points(group=GROUP):
        found.setdefault(point.name, Entry(point.value, "", "a plug-in"))
    return found


def get(name: str, device: str = "") -> Backend:
    """The engine of that name, on a device if one is named.

    UnknownBackend names those there are; BackendUnavailable says what to install; ConfigError
    where the engine has no device to choose.
    """
    entry = known().get(name)
    if entry is None:
        raise UnknownBackend(f"no backend {name!r}; there are {', '.join(known())}")
    module, _, made = entry.place.partition(":")
    try:
        kind = getattr(importlib.import_module(module), made)
        if device and "device" not in signature(kind).parameters:
            raise ConfigError(f"backend {name!r} has no device to choose; leave {device!r} out")
        return cast(Backend, kind(device=device) if device else kind())
    except ModuleNotFoundError as error:
        how = f"pip install 'spikeport[{entry.extra}]'" if entry.extra else "install its package"
        raise BackendUnavailable(f"backend {name!r} needs {error.name}: {how}") from error
