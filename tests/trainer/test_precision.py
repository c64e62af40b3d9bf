"""Mixed precision: synapses in bfloat16, and what is kept in float32."""

from pathlib import Path

import pytest
import torch

from spikeport.core.config import parse
from spikeport.core.errors import ConfigError
from spikeport.trainer import checkpoint
from spikeport.trainer.data import DataSet
from spikeport.trainer.loop import fit

TEXT = """
[data]
steps = 3
[model]
channels = [4]
[train]
epochs = 4
batch = 30
lr = 0.02
[run]
accelerator = "cpu"
precision = "{}"
progress = false
loggers = []
"""


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_trains_and_keeps_its_weights(precision: str, blobs: DataSet, tmp_path: Path) -> None:
    seen: set[torch.dtype] = set()

    def note(module: torch.nn.Module, given: object, out: torch.Tensor) -> None:
        seen.add(out.dtype)

    handle = torch.nn.modules.module.register_module_forward_hook(note)
    try:
        made = fit(parse(TEXT.format(precision)), tmp_path / "run", dataset=blobs)
    finally:
        handle.remove()
    assert float(made.metrics["test_accuracy"]) > 0.6
    wanted = torch.float64 if precision == "64-true" else torch.float32
    kept = checkpoint.load(tmp_path / "run" / "best.ckpt").model.state_dict()
    assert {v.dtype for n, v in kept.items() if v.is_floating_point()} == {wanted}
    assert (torch.bfloat16 in seen) is (precision == "bf16-mixed")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU has float16")
def test_a_cpu_without_float16_is_told(
    blobs: DataSet, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(ConfigError, match="'16-mixed', which a CPU does not have; take 'bf16-"):
        fit(parse(TEXT.format("16-mixed")), tmp_path / "run", dataset=blobs)
    assert not any("AMP" in str(warning.message) for warning in recwarn)
