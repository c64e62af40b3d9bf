"""The JSON Schema of what our files say beyond NIR: of the model that reads them, with words."""

import json
from typing import Any

from .metadata import KEY, SCHEMA, Metadata

ABOUT = {
    "Metadata": {
        "schema": "version of this schema",
        "dt": "seconds a step; null: unknown, and no time constant needs it",
        "steps": "time steps of training and verification",
        "integrator": "how time constants become one step: 1 - dt / tau, or exp(-dt / tau)",
        "cuba_current": "whether v uses this step's current or that of the step before",
        "if_r": "an IF's r: v += r x (step) or v += r x dt (ode)",
        "spike_amplitude": "what a spike is worth to whoever hears it; left out: 1",
        "timing": "aligned, or a step for every synapse (pipelined)",
        "back_edge_at_t0": "what back edges carry before the first step: the bias, or nothing",
        "back_edges": "[source, target] of each; null: found depth-first from the inputs",
        "readout": "how logits come from an output's values per step",
        "input": "Input node -> what it brings",
        "number_format": "real numbers, or Loihi's integers in 'chip'",
        "chip": "of a quantised network: exponents, scales, registers",
        "history": "the passes that made this graph, in order",
        "trained_digest": "sha256 over the trained parameters",
        "nodes": "node -> what NIR cannot say of it",
        "digest": "sha256 over nodes, edges and this JSON without it",
    },
    "NodeMetadata": {
        "reset": "to v_reset (value), or by subtraction",
        "reset_amount": "what a spike takes off under subtract; null: the threshold",
        "compare": "how v must compare with the threshold to fire",
        "refractory": "steps for which v is held after a spike",
        "decays": "the numbers of one step, exact; they win over the time constants",
        "schedule": "numbers that change from step to step",
        "origin": "the trained network's name of the node, if it differs",
        "added": "whether a pass added the node",
    },
    "Decays": {
        "v": "membrane kept from step to step",
        "u": "current kept from step to step; null: no current",
        "gain_u": "what the input is multiplied by on its way into the current",
        "gain_v": "what the current, or the input, is multiplied by on its way to the membrane",
        "bias": "added to the membrane every step",
    },
}


def schema() -> dict[str, Any]:
    """The schema of the JSON text under a graph's metadata."""
    made = Metadata.model_json_schema()
    for name, about in ABOUT.items():
        part = made if name == "Metadata" else made["$defs"][name]
        for key, words in about.items():
            part["properties"][key]["description"] = words
    made["title"] = f"metadata['{KEY}'] of a .nir file, version {SCHEMA}"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def text() -> str:
    """As it stands in docs/metadata.schema.json."""
    return json.dumps(schema(), indent=1) + "\n"
