"""Which passes a network needs so that an engine can run it, read off the engine's
capabilities. What no pass can bring within them, the engine's own check refuses by name."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..backends.protocol import Capabilities
from ..core.arrays import Numbers
from ..core.errors import QuantisationError
from ..core.network import Network
from ..export.passes.base import Pass, PassRecord, run_passes
from ..export.passes.conv_to_dense import ConvToDense
from ..export.passes.fold_gain import FoldGain
from ..export.passes.fold_norms import FoldNorms
from ..export.passes.fold_scale import FoldScale
from ..export.passes.identity_synapses import IdentitySynapses
from ..export.passes.lower_pooling import AvgToSum, MaxPoolToSpikes, MergePools, PoolsToConv
from ..export.passes.move_bias import BiasToSynapse, QuietBackEdges
from ..export.passes.own_synapses import OwnSynapses
from ..export.passes.square_convs import ExpandGroups
from ..export.passes.subtract_by_edge import SubtractByEdge
from ..export.quantise import Options, Quantise
from ..export.quantise.options import Runner, by_interpreter
from ..export.quantise.scale import Chosen

SPIKING = ("IF", "LIF", "CubaLIF")


@dataclass(frozen=True)
class Prepared:
    """A network that an engine can run, and how it came about. chosen: population -> its scale
    and what it cost, and doubts: what is odd of the data it was chosen on, of a network that was
    quantised here."""

    network: Network
    records: tuple[PassRecord, ...]
    chosen: Mapping[str, Chosen] | None = None
    doubts: tuple[str, ...] = ()


def prepare(
    network: Network,
    able: Capabilities,
    calibration: Mapping[str, Numbers] | None = None,
    options: Options | None = None,
    run: Runner = by_interpreter,
) -> Prepared:
    """Bring the network within the capabilities. calibration: Input node -> [T, B, *shape], for
    engines that run the chip's integers; QuantisationError if one is needed and not given.
    options: how to quantise; run: what runs integer networks for the quantiser."""
    lowered = run_passes(network, passes_for(network, able))
    if able.number_format == "real" or network.number_format == "loihi":
        return Prepared(lowered.network, lowered.records)
    if calibration is None:
        raise QuantisationError(
            "this engine runs the chip's integers and the network is in real numbers: give "
            "calibration data (--calibrate X.npy)"
        )
    made = Quantise(calibration, options or Options(), run).apply(lowered.network)
    return Prepared(made.network, lowered.records, made.chosen, made.doubts)


def passes_for(network: Network, able: Capabilities) -> tuple[Pass, ...]:
    """The passes, in order. None for a chip's network: its synapses are where its steps are."""
    if network.number_format == "loihi" or network.meaning.timing == "pipelined":
        return ()
    passes: list[Pass] = []
    scale = "Scale" in able.nodes
    if "BatchNorm" not in able.nodes:
        passes += [OwnSynapses(norms=True), FoldNorms()]
    if "MaxPool2d" not in able.nodes:
        passes.append(MaxPoolToSpikes())
    if able.merges_pools:
        passes.append(MergePools())
    if "AvgPool2d" not in able.nodes or able.number_format == "loihi":
        passes.append(AvgToSum())
    missing = tuple(kind for kind in ("SumPool2d", "AvgPool2d") if kind not in able.nodes)
    if missing:
        passes.append(PoolsToConv(missing))
    if not able.pool_padding:
        passes.append(PoolsToConv(only_padded=True))
    convs = tuple(kind for kind in ("Conv1d", "Conv2d") if kind not in able.nodes)
    if convs:
        passes.append(ConvToDense(convs))
    if not scale or able.number_format == "loihi":
        passes.append(FoldScale())
    chip = able.number_format == "loihi"  # whose registers have no gain, whatever the host has
    fold = FoldGain("one", "one") if chip else FoldGain(able.gain, able.cuba_gain, scale)
    if not scale and not chip:
        passes.append(IdentitySynapses(analogue=True, unless=fold))
    if not able.groups:
        passes.append(ExpandGroups())
    passes.append(OwnSynapses(unless=None if chip else fold))
    passes.append(fold)
    lacking = {"I", "LI", "IF", "LIF"} - able.membrane_bias
    if lacking:
        passes.append(BiasToSynapse(tuple(sorted(lacking))))
    unable = tuple(kind for kind in SPIKING if "subtract" not in able.resets_of(kind))
    late = able.subtracts != "any"
    if (unable or late) and able.nodes >= {"I", "LI", "Threshold", "Scale"}:
        passes.append(SubtractByEdge(unable, late))
    if "bias" not in able.back_edge_at_t0:
        passes.append(QuietBackEdges())
    if able.number_format == "loihi":
        passes.append(IdentitySynapses())
    return tuple(passes)
