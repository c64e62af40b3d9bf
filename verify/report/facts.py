"""A verification as plain data: what report.json holds, and what the table and page show."""

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ...core import store
from ...core.errors import SpikeportError
from ...core.network import Network
from ...export.quantise.scale import Chosen
from ..counts import LayerCounts
from ..energy import estimates
from ..run import EngineRun, Outcome, Verification
from ..statistics import paired_difference, wilson

FORMAT = 1  # of report.json


def facts(result: Verification, about: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, JSON-ready. about: what the caller knows of file, data and settings."""
    return {
        "format": FORMAT,
        "verdict": result.verdict,
        "baseline": result.baseline,
        "samples": result.samples,
        "steps": result.steps,
        "network": network_facts(result.network),
        "engines": [engine_facts(outcome) for outcome in result.outcomes],
        "refused": [asdict(refusal) for refusal in result.refused],
        "about": dict(about),
        "machine": {
            "system": platform.platform(),
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }


def network_facts(network: Network) -> dict[str, Any]:
    """The graph that was verified."""
    try:
        digest = store.digest(network)
    except SpikeportError:  # a network that NIR cannot write has no digest of a file
        digest = None
    return {
        "digest": digest,
        "trained_digest": network.meaning.trained_digest,
        "history": list(network.history),
        "readout": network.meaning.readout or "mean_t (assumed: the file does not say)",
        "nodes": {name: node.kind for name, node in network.nodes.items()},
    }


def engine_facts(outcome: Outcome) -> dict[str, Any]:
    """One engine's row."""
    run, tally = outcome.run, outcome.run.tally
    return {
        "name": run.backend.name,
        "verdict": "fails" if outcome.complaints else "meets",
        "in_verdict": run.counted,
        "complaints": list(outcome.complaints),
        "level": level(run),
        "samples": tally.samples,
        "accuracy": accuracy(run),
        "same_answer": tally.same_answer / max(tally.samples, 1),
        "argmax_ties": tally.ties,
        "spikes": {
            "differing": tally.differing,
            "neuron_steps": sum(layer.neuron_steps for layer in tally.layers.values()),
            "samples_touched": tally.touched,
            "root_flips": run.roots.roots,
            "root_flips_beyond_rounding": run.roots.outside,
            "first_divergence": None if tally.first is None else asdict(tally.first),
        },
        "integer_bits_apart": run.bits_apart if run.integers else None,
        "logits_apart": tally.logits_apart,
        "layers": {
            name: {
                "rate": layer.rate,
                "baseline_rate": layer.baseline_rate,
                "differing": layer.differing,
                "differing_by_step": layer.by_step,
            }
            for name, layer in tally.layers.items()
        },
        "operations": operations(run.counts, tally.samples),
        "energy": energy(run),
        "quantisation": None if run.prepared.chosen is None else quantisation(run.prepared.chosen),
        "doubts": list(run.prepared.doubts),
        "passes": [asdict(record) for record in run.prepared.records],
        "seconds": round(run.seconds, 3),
        "samples_per_second": round(tally.samples / run.seconds, 2) if run.seconds else None,
        "header": dict(run.header),
    }


def level(run: EngineRun) -> str:
    """What the engine is held to, in words."""
    if run.integers:
        return "bit-exact with the integer interpreter; accuracy paired with the baseline"
    return {
        "bit_exact": "0 differing spikes",
        "spikes": "0 differing spikes beyond float rounding",
        "rates": "spike rates",
    }[run.agreement]


def accuracy(run: EngineRun) -> dict[str, Any] | None:
    """Share of right answers with its interval, and the paired change from the baseline."""
    tally = run.tally
    if not tally.correct:
        return None
    right, total = sum(tally.correct), len(tally.correct)
    change, low, high = paired_difference(tally.baseline_correct, tally.correct)
    return {
        "value": right / total,
        "interval": wilson(right, total),
        "baseline": sum(tally.baseline_correct) / total,
        "change": change,
        "change_interval": (low, high),
        "interval_level": 0.95,
    }


def operations(counts: Mapping[str, LayerCounts], samples: int) -> dict[str, Any]:
    """Operations a sample, by layer and in all."""
    layers = {
        name: {
            "synaptic_operations": c.synaptic_operations / samples,
            "macs": c.macs / samples,
            "macs_static_input_once": c.macs_once / samples,
            "on_host": c.host,
        }
        for name, c in counts.items()
    }
    keys = ("synaptic_operations", "macs", "macs_static_input_once")
    total = {key: sum(layer[key] for layer in layers.values()) for key in keys}
    return {"per": "sample", "total": total, "layers": layers}


def energy(run: EngineRun) -> list[dict[str, Any]]:
    """Energy a sample, by every model that applies."""
    layers = run.tally.layers.values()
    spikes = sum(layer.spikes for layer in layers)
    neuron_steps = sum(layer.neuron_steps for layer in layers)
    found = estimates(run.counts, spikes, neuron_steps, run.tally.samples, run.integers)
    return [
        {
            "model": e.model.title,
            "picojoules_per_sample": e.picojoules,
            "counted": e.counted,
            "basis": e.model.basis,
            "scope": e.model.scope,
            "source": e.model.source,
        }
        for e in found
    ]


def quantisation(chosen: Mapping[str, Chosen]) -> dict[str, Any]:
    """Each population's scale, of a network that was quantised."""
    return {
        name: {
            "scale": c.scale.tolist() if c.scale.ndim else float(c.scale),
            "decay_rounding": asdict(c.rounding),
            "flipped_share_on_calibration": c.flipped,
            "bias_drift_of_threshold": c.drift,
            "clipped_weights": c.clipped_weights,
            "largest_drive_of_range": c.largest_drive,
        }
        for name, c in chosen.items()
    }
