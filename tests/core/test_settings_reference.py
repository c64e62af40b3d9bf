"""The reference of settings: all of them, true, and printed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spikeport.core.settings import TrainConfig
from spikeport.core.settings.reference import as_markdown, tables

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_page_is_what_the_schema_says() -> None:
    """Write it again: spikeport settings --write docs/settings.md."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown(tables())


def keys(values: dict[str, Any], prefix: str = "") -> set[tuple[str, str]]:
    """(table, key) of every value that a settings file holds."""
    found = set()
    for name, value in values.items():
        if isinstance(value, dict):
            found |= keys(value, f"{prefix}.{name}" if prefix else name)
        else:
            found.add((prefix, name))
    return found


def test_every_key_is_told() -> None:
    told = {(table.name, key.name) for table in tables() for key in table.keys}
    written = keys(TrainConfig().model_dump(exclude_none=True))
    picked = {("model", "name"), ("model.neuron", "kind"), ("data.encoder", "kind")}
    assert written - picked - told == {("train", "before")}  # a table of its own
    assert any(table.name == "train.before" for table in tables())


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "spikeport", "settings", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def test_a_part_of_it(tmp_path: Path) -> None:
    train = json.loads(run("train", "--json").stdout)
    assert [t["name"] for t in train][:2] == ["train", "train.before"]
    (lr,) = [key for key in train[0]["keys"] if key["name"] == "lr"]
    assert (lr["values"], lr["default"]) == ("number > 0; < 3e+38", "0.002")
    assert "checkpoint_steps" in run("run").stdout
    done = run("trian")
    assert done.returncode == 2 and "no table 'trian'; there are data" in done.stderr
    assert run("--write", str(tmp_path / "page.md")).returncode == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("table", tables(), ids=lambda t: f"{t.name} {t.choice}")
def test_tables_say_what_they_are(table: Any) -> None:
    assert table.about
