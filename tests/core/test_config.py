"""Settings: one file, validated, with complaints that say where."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.core.config import load, parse
from spikeport.core.errors import ConfigError
from spikeport.core.settings import Cuba, FineTune, TrainConfig

FILE = """seed = 3

[data]
name = "fashion-mnist"  # the clothes

[model]
channels = [8, 16]

[model.neuron]
kind = "cuba"
decay = 0.9

[train]
lr = 1
loss = "sdt"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text(FILE)
    return path


def flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def test_a_file(file: Path) -> None:
    config = load(file)
    assert (config.seed, config.data.name, config.data.steps) == (3, "fashion-mnist", 4)
    assert config.model.name == "conv" and config.model.channels == (8, 16)
    assert config.model.neuron.kind == "cuba"
    assert (config.model.neuron.decay, config.model.neuron.decay_syn) == (0.9, 0.5)
    assert config.train.lr == 1.0 and isinstance(config.train.lr, float)
    assert config.train.loss == "sdt"


def test_no_file_is_the_defaults() -> None:
    assert parse("") == TrainConfig()


OTHERS: dict[str, str] = {  # a value for every key, other than the default
    "seed": "7",
    "data.name": "some/where.npz",
    "data.folder": "/data",
    "data.download": "true",
    "data.steps": "9",
    "data.temporal": "true",
    "data.content": "spikes",
    "data.samples": "100",
    "data.validation_samples": "50",
    "data.manifolds.classes": "3",
    "data.manifolds.units": "5",
    "data.manifolds.dimensions": "2",
    "data.manifolds.alpha": "2.0",
    "data.manifolds.samples": "30",
    "data.manifolds.spikes": "2",
    "data.manifolds.fraction": "1.0",
    "data.manifolds.seed": "5",
    "data.events.by": "number",
    "data.events.duration": "300.0",
    "data.events.once": "true",
    "data.events.scaled": "true",
    "data.events.size": "48",
    "data.images.size": "64",
    "data.images.shorter": "300",
    "data.images.augment": "false",
    "data.workers": "2",
    "data.cache": "cache",
    "data.sound.kind": "crossings",
    "data.sound.bands": "10",
    "data.sound.levels": "3",
    "data.encoder.kind": "direct",
    "model.name": "conv",
    "model.norm": "tdbn",
    "model.norm_steps": "4",
    "model.norm_lambda": "0.5",
    "model.norm_keep": "0.5",
    "model.dropout": "0.25",
    "model.readout": "li-max",
    "model.readout_decay": "0.5",
    "model.readout_decay_syn": "0.5",
    "model.votes": "3",
    "model.bias": "never",
    "model.start": "kaiming",
    "model.start_gain": "10.0",
    "model.channels": "[3]",
    "model.pool": "max",
    "model.neuron.kind": "lif",
    "model.neuron.threshold": "0.5",
    "model.neuron.compare": ">=",
    "model.neuron.reset": "subtract",
    "model.neuron.v_reset": "-0.25",
    "model.neuron.detach_reset": "false",
    "model.neuron.decay": "0.75",
    "model.neuron.learn": '["decay"]',
    "model.neuron.surrogate.kind": "atan",
    "model.neuron.surrogate.width": "0.5",
    "model.neuron.surrogate.scale": "2.0",
    "train.epochs": "3",
    "train.batch": "32",
    "train.optimiser": "sgd",
    "train.lr": "0.1",
    "train.weight_decay": "0.01",
    "train.momentum": "0.5",
    "train.schedule": "constant",
    "train.warmup": "1.5",
    "train.loss": "sdt",
    "train.mse_weight": "0.05",
    "train.mse_target": "0.5",
    "train.clip": "1.0",
    "train.data_start": "true",
    "train.before": '[{epochs = 2, steps = 2, lr = 0.5, loss = "sdt"}]',
    "train.targets.true": "0.5",
    "train.targets.false": "0.1",
    "train.targets.tau": "2.0",
    "train.regularisers.spikes": "0.5",
    "train.regularisers.spikes_order": "1",
    "train.regularisers.upper": "0.1",
    "train.regularisers.upper_bound": "3.0",
    "train.regularisers.upper_power": "2",
    "train.regularisers.lower": "0.1",
    "train.regularisers.lower_bound": "2.0",
    "train.regularisers.total_spikes": "1e-5",
    "train.regularisers.l2": "1e-4",
    "train.regularisers.weight_sum": "100.0",
    "train.regularisers.weight_sum_target": "2.0",
    "run.accelerator": "cpu",
    "run.devices": "2",
    "run.nodes": "2",
    "run.strategy": "ddp",
    "run.precision": "bf16-mixed",
    "run.threads": "1",
    "run.deterministic": "false",
    "run.channels_last": "true",
    "run.compile": "true",
    "run.checkpoint_steps": "8",
    "run.spike_bytes": "true",
    "run.kernels": "eager",
    "run.progress": "false",
    "run.loggers": '["csv"]',
    "run.log_every": "10",
    "run.eval_batch": "64",
}


def test_the_table_above_has_every_key() -> None:
    assert set(OTHERS) | {"finetune"} == set(flat(TrainConfig().model_dump()))


@pytest.mark.parametrize("key, value", OTHERS.items())
def test_every_key_can_be_overridden(key: str, value: str) -> None:
    before = flat(TrainConfig().model_dump())
    config = parse("", overrides=[f"{key}={value}"])
    after = flat(config.model_dump())
    changed = {k for k in after if after[k] != before[k]}
    assert changed == (
        {key} if key not in ("model.name", "model.neuron.kind", "data.encoder.kind") else set()
    )
    assert parse(config.to_toml()) == config


FINETUNE: dict[str, str] = {  # likewise, of a section that is there only where it is asked for
    "start": "runs/b.ckpt",
    "digest": "abc",
    "numbers": "real",
    "bits": "5",
    "method": "mse",
    "percentile": "99.0",
    "equalise": "true",
    "samples": "64",
}


def test_fine_tuning_is_asked_for() -> None:
    assert TrainConfig().finetune is None and "finetune" not in TrainConfig().to_toml()
    before = FineTune(start="runs/a.ckpt").model_dump()
    assert set(FINETUNE) == set(before)
    for key, value in FINETUNE.items():
        given = ["finetune.start=runs/a.ckpt", f"finetune.{key}={value}"]
        config = parse("", overrides=given)
        assert config.finetune is not None
        after = config.finetune.model_dump()
        assert {k for k in after if after[k] != before[k]} == {key}
        assert parse(config.to_toml()) == config


@pytest.mark.parametrize(
    "text, words",
    [
        ("[finetune]", "a.toml:1: finetune.start names no checkpoint"),
        ("[finetune]\nstart = 'x'\nbits = 9", "a.toml:3: finetune.bits is 9; .*equal to 8"),
        ("[finetune]\nstart = 'x'\nbits = 1", "a.toml:3: finetune.bits is 1; .*equal to 2"),
        ("[finetune]\nstart = 'x'\nbitz = 8", "a.toml:3: .*did you mean 'finetune.bits'"),
        ("[finetune]\nnumbers = 'int'", "a.toml:2: finetune.numbers is 'int'; .*'loihi' or 'real'"),
        ("[finetun]\nbits = 8", "did you mean 'finetune'"),
        ("finetune = 3", "a.toml:1: finetune is 3"),
    ],
)
def test_fine_tuning_that_has_no_meaning(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse(text, "a.toml")


def test_threads_that_no_machine_begins() -> None:
    """OpenMP ends the process when it cannot begin one."""
    with pytest.raises(ConfigError, match="run.threads is 100000; it must be less than or equal"):
        parse("[run]\nthreads = 100000")


def test_overrides_win_over_the_file(file: Path) -> None:
    config = load(file, ["train.lr=0.5", "model.neuron.decay=0.8", "seed = 4"])
    assert config.model.neuron == Cuba(decay=0.8)
    assert (config.train.lr, config.seed) == (0.5, 4)


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.floats(0, 1e38, exclude_min=True, exclude_max=True),
    st.lists(st.integers(1, 10**9), min_size=1, max_size=4),
    st.booleans(),
)
def test_what_is_written_is_read_back(
    name: str, lr: float, channels: list[int], progress: bool
) -> None:
    table = {
        "data": {"name": name},
        "train": {"lr": lr},
        "model": {"name": "conv", "channels": tuple(channels)},
        "run": {"progress": progress},
    }
    config = TrainConfig.model_validate(table)
    assert parse(config.to_toml()) == config
    assert tomllib.loads(config.to_toml())["data"]["name"] == name


COMPLAINTS = [
    (
        "[train]\nepoch = 3",
        [],
        "run.toml:2: unknown key 'train.epoch'; did you mean 'train.epochs'?",
    ),
    ("\nlr = 3", [], "run.toml:2: unknown key 'lr'; did you mean 'train.lr'?"),
    ("[modle]\nname = 'conv'", [], "run.toml:1: unknown key 'modle'; "),
    ("", ["train.lrr=3"], "--set train.lrr=3: unknown key 'train.lrr'; did you mean 'train.lr'?"),
    ("", ["train.lr=-1"], "--set train.lr=-1: train.lr is -1; it must be greater than 0"),
    ("", ["train.lr=inf"], "train.lr is inf; it must be a finite number"),
    ("", ["train.lr=1e300"], "train.lr is 1e+300; it must be less than"),
    ("", ["train.lr=fast"], "train.lr is 'fast'; it must be a valid number"),
    ("[train]\nbatch = 2.5", [], "run.toml:2: train.batch is 2.5; it must be a valid integer"),
    ("[run]\n\ndevices = true", [], "run.toml:3: run.devices is True; it must be a valid integer"),
    ("[model]\nname = 'cnn'", [], "run.toml:2: model.name is 'cnn'; it must be one of conv, recu"),
    ("[model]\nname = 'recurrent'\nchannels = [3]", [], "run.toml:3: unknown key 'model.channels'"),
    (
        "[model.neuron]\nkind = 'if'\ndecay = 0.5",
        [],
        "run.toml:3: unknown key 'model.neuron.decay'",
    ),
    ("[model.neuron]\ndecay = 1.5", [], "model.neuron.decay is 1.5; it must be less than or equal"),
    ("", ["model.neuron.learn=[decay_syn]"], "model.neuron.learn is '[decay_syn]'; it must be a l"),
    ("", ["model.neuron.learn=['decay_syn']"], "learn is ['decay_syn']; it must be 'decay' or"),
    ("", ["model.neuron={kind='zenke', reset='value'}"], "unknown key 'model.neuron.reset'"),
    ("", ["model.neuron={kind='plif', init_tau=1.0}"], "init_tau is 1.0; it must be greater"),
    ("", ["model.neuron={kind='spikingjelly', tau=0.5}"], "tau is 0.5; it must be greater"),
    ("", ["model.neuron={kind='srm', kernel='beta'}"], "kernel is 'beta'; it must be 'expo"),
    ("", ["model.neuron={kind='srm', learn=['tau_s']}"], "learn is ['tau_s']; it must be 'thre"),
    ("", ["model.neuron.kind='izhikevich'"], "kind is 'izhikevich'; it must be one of if, lif, "),
    ("", ["model.neuron.surrogate.kind='esser'"], "kind is 'esser'; it must be 'triangle', "),
    ("[model]\nchannels = [4,\n 0]", [], "run.toml:2: model.channels is [4, 0]; it must be great"),
    ("model = 3", [], "run.toml:1: model is 3; it must be a section"),
    ("seed = 1", ["seed.x=3"], "--set seed.x=3: 'seed' is a value, not a section"),
    ("[data]\nencoder = 'morse'", [], "run.toml:2: data.encoder is 'morse'; it must be one of dir"),
    ("", ["data.encoder.kind=morse"], "data.encoder.kind is 'morse'; it must be one of direct, p"),
    (
        "",
        ["train.loss=spike-count"],
        "train.loss is 'spike-count', which looks at output spikes, and model.readout is 'mean'",
    ),
    (
        "",
        ["model.norm=bntt", "model.norm_steps=3"],
        "model.norm_steps is 3, data.steps is 4; make them the same",
    ),
    ("", ["data.steps=0"], "data.steps is 0; it must be greater than or equal to 1"),
    ("[train]\nwarmup = 30.0", [], "run.toml:2: train.warmup is 30.0 epochs of 20"),
    (
        "",
        ["model.neuron.reset=subtract", "model.neuron.v_reset=0.5"],
        "neuron.v_reset is 0.5, which",
    ),
    ("seed = ", [], "run.toml is not TOML: "),
    ("", ["seed"], "--set seed says nothing; give key=value"),
    ("", ["=3"], "--set =3 says nothing"),
    ("", ["a..b=3"], "--set a..b=3 says nothing"),
]


@pytest.mark.parametrize("text, overrides, words", COMPLAINTS)
def test_a_mistake_is_named_in_one_line(
    tmp_path: Path, text: str, overrides: list[str], words: str
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, overrides)
    said = str(caught.value)
    assert words in said
    assert "\n" not in said


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the settings file .*missing.toml"):
        load(tmp_path / "missing.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="bytes.toml"):
        load(tmp_path / "bytes.toml")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        TrainConfig().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "examples").glob("*.toml")))
def test_the_examples_are_valid(path: Path) -> None:
    assert load(path).train.epochs > 0
