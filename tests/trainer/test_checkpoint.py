"""A checkpoint holds the model, and only a checkpoint is read as one."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from spikeport.core.config import parse
from spikeport.core.errors import CheckpointError
from spikeport.trainer import checkpoint
from spikeport.trainer.checkpoint import Trained, trained_digest
from spikeport.trainer.models import build


def made(*overrides: str) -> Trained:
    config = parse("", overrides=["model.channels=[3]", *overrides])
    torch.manual_seed(config.seed)
    model = build(config.model, (1, 8, 8), 4)
    model(torch.rand(3, 5, 1, 8, 8))
    return Trained(model, config, {"accuracy": 0.5, "digest": "x"}, (1, 8, 8), 4)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    checkpoint.save(tmp_path / "best.ckpt", made())
    return tmp_path / "best.ckpt"


@pytest.mark.parametrize(
    "overrides",
    [(), ("model.neuron.kind=cuba", "model.neuron.learn=['threshold', 'decay']")],
    ids=str,
)
def test_there_and_back(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    trained = made(*overrides)
    checkpoint.save(tmp_path / "a" / "x.ckpt", trained)
    again = checkpoint.load(tmp_path / "a" / "x.ckpt")
    assert (again.config, again.metrics) == (trained.config, trained.metrics)
    assert (again.input_shape, again.classes) == ((1, 8, 8), 4)
    assert trained_digest(again.model) == trained_digest(trained.model)
    assert not again.model.training
    x = torch.rand(3, 2, 1, 8, 8)
    assert torch.equal(again.model(x), trained.model.eval()(x))
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.ckpt"]


@pytest.mark.parametrize(
    "model",
    ["conv", "conv', start = 'xavier", "conv', norm = 'wn", "recurrent"],
)
def test_reading_draws_no_weights(tmp_path: Path, model: str) -> None:
    """All of them come from the file, bit for bit."""
    config = parse("", overrides=[f"model={{name = '{model}'}}"])
    trained = Trained(build(config.model, (1, 8, 8), 4), config, {}, (1, 8, 8), 4)
    checkpoint.save(tmp_path / "x.ckpt", trained)
    before = torch.random.get_rng_state()
    again = checkpoint.load(tmp_path / "x.ckpt")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert trained_digest(again.model) == trained_digest(trained.model)
    x = torch.rand(3, 2, 1, 8, 8)
    assert torch.equal(again.model(x), trained.model.eval()(x))


def test_a_weight_that_the_file_lacks(tmp_path: Path) -> None:
    """It is missed, and nothing undrawn is handed out."""
    checkpoint.save(tmp_path / "x.ckpt", made())
    content = torch.load(tmp_path / "x.ckpt", weights_only=True)
    name = next(name for name in content["model"] if name.endswith("weight"))
    del content["model"][name]
    torch.save(content, tmp_path / "x.ckpt")
    with pytest.raises(CheckpointError, match=f"Missing key.*{name}"):
        checkpoint.load(tmp_path / "x.ckpt")


def test_float64_weights_stay_float64(tmp_path: Path) -> None:
    trained = made()
    double = replace(trained, model=trained.model.double())
    checkpoint.save(tmp_path / "x.ckpt", double)
    again = checkpoint.load(tmp_path / "x.ckpt").model
    assert trained_digest(again) == trained_digest(double.model)


def test_a_damaged_file(path: Path) -> None:
    whole = path.read_bytes()
    for content in (whole[:-20], whole[: len(whole) // 2], whole[:10], b"", b"hello"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="best.ckpt cannot be read"):
            checkpoint.load(path)


def test_no_file(tmp_path: Path) -> None:
    for missing in (tmp_path / "best.ckpt", tmp_path):
        with pytest.raises(CheckpointError, match="there is no checkpoint"):
            checkpoint.load(missing)


class Evil:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("touched"),))


def test_a_foreign_file_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"format": Evil()}, "evil.ckpt")
    Path("evil.pkl").write_bytes(pickle.dumps(Evil(), protocol=2))
    for name in ("evil.ckpt", "evil.pkl"):
        with pytest.raises(CheckpointError):
            checkpoint.load(Path(name))
    assert not Path("touched").exists()


@pytest.mark.parametrize(
    "change, words",
    [
        ({"format": "other"}, "not one of our checkpoints"),
        ({"version": 99}, "has version 99; version 1 can be read"),
        ({"config": "[model]\nname = 'later'"}, "of another version"),
        ({"config": "[model]\nchannels = [5]"}, "does not hold the model it describes"),
        ({"config": 3}, "does not hold the model"),
        ({"classes": 5}, "does not hold the model"),
        ({"input_shape": [64]}, r"takes samples \[C, H, W\]"),
        ({"model": None}, "does not hold the model"),
        ({"metrics": None}, "does not hold the model"),
    ],
)
def test_another_model(path: Path, change: dict[str, Any], words: str) -> None:
    content = torch.load(path, weights_only=True)
    torch.save(content | change, path)
    with pytest.raises(CheckpointError, match=words) as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_alone(tmp_path: Path) -> None:
    torch.save(made().model.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="not one of our checkpoints"):
        checkpoint.load(tmp_path / "weights.pt")


def test_weights_that_are_no_numbers(tmp_path: Path) -> None:
    trained = made()
    with torch.no_grad():
        trained.model.get_parameter("conv1.weight")[0, 0, 0, 0] = torch.nan
    checkpoint.save(tmp_path / "x.ckpt", trained)
    with pytest.raises(CheckpointError, match="1 of 27 values of 'conv1.weight' are not finite"):
        checkpoint.load(tmp_path / "x.ckpt")


def test_the_digest_is_of_everything_trained() -> None:
    model = made().model
    before = trained_digest(model)
    assert trained_digest(made().model) == before
    model.get_buffer("norm1.num_batches_tracked").add_(1)  # the model does not use it
    assert trained_digest(model) == before
    for name, values in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            kept = values.flatten()[-1].item()
            values.view(-1)[-1] += 0.5
            assert trained_digest(model) != before, name
            values.view(-1)[-1] = kept
    assert trained_digest(model) == before
    assert trained_digest(model.double()) != before


def test_the_digest_does_not_see_the_memory_layout() -> None:
    model = made("model.channels=[3, 4]").model
    before = trained_digest(model)
    changed: Any = model
    assert trained_digest(changed.to(memory_format=torch.channels_last)) == before


def test_a_file_of_another_kind_is_told_without_torchs_advice(tmp_path: Path) -> None:
    other = tmp_path / "model.nir"
    other.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(CheckpointError, match="another kind.*`spikeport train` writes") as caught:
        checkpoint.load(other)
    assert "weights_only" not in str(caught.value)
