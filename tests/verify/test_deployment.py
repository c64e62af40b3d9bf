"""docs/deployment.md says what `spikeport methods` measures."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spikeport.trainer.specimens import specimens
from spikeport.verify.cli.app import app
from spikeport.verify.methods.measure import ENGINES, Cell, Row
from spikeport.verify.methods.page import Cost, page, plain

PAGE = Path(__file__).parents[2] / "docs" / "deployment.md"
FEW = ("neuron:SpikingJellyLIF()", "neuron:SingleSpike(5, 4)", "norm:bntt", "join:and", "pool:max")


def committed() -> dict[tuple[str, str], dict[str, tuple[str, str]]]:
    """(group, name) -> engine -> (verdict, reason) as the page has them."""
    text = PAGE.read_text(encoding="utf8")
    reasons = dict(re.findall(r"^(\d+)\. (.*)$", text, re.M))
    found = {}
    for group, name, cells in re.findall(r"^\| (\w+) \| `(.*?)` \| \d* \| (.*) \|$", text, re.M):
        words = [re.fullmatch(r"([a-z ]+?)(?: \((\d+)\))?", cell) for cell in cells.split(" | ")]
        said = [(w[1], reasons[w[2]] if w[2] else "") for w in words if w]
        found[group, name] = dict(zip(ENGINES, said, strict=True))
    return found


def measured(*given: str) -> Any:
    """What the command prints for machines."""
    done = CliRunner().invoke(app, ["methods", "--json", *given])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def hold(rows: list[Any]) -> None:
    """The page says just this, and nothing was compared that did not fire."""
    page_says = committed()
    for row in rows:
        for engine, cell in row["engines"].items():
            said = page_says[row["group"], row["name"]][engine]
            assert (cell["verdict"], plain(cell["why"])) == said, (row["name"], engine)
            assert all(cell["fired"].values()), (row["name"], cell["fired"])
            assert cell["fired"] or cell["verdict"] == "refused"


def test_a_few_rows_are_what_the_command_measures() -> None:
    only = [word for name in FEW for word in ("--only", name)]
    rows = measured(*only, "--backends", "reference,loihi")["rows"]
    assert len(rows) == len(FEW)
    hold(rows)


@pytest.mark.slow
def test_every_row_is_what_the_command_measures() -> None:
    rows = measured("--no-costs")["rows"]
    assert [(r["group"], r["name"]) for r in rows] == list(committed())
    hold(rows)


def test_the_page_has_every_method() -> None:
    names = {(s.group, s.name) for s in specimens() if s.group != "family"}
    assert names <= set(committed())


def test_nothing_on_the_page_differs() -> None:
    """An engine is exact, or says no."""
    words = {cell[0] for cells in committed().values() for cell in cells.values()}
    assert words <= {"exact", "integers", "refused"}


def test_every_refusal_has_its_reason() -> None:
    for cells in committed().values():
        assert all(bool(why) == (verdict == "refused") for verdict, why in cells.values())


def test_reasons_are_numbered_once_and_name_no_folder() -> None:
    no = Cell("refused", "layer '1' (/home/me/net.py:3: return f(x)): cannot be")
    rows = [Row("norm", "a", {"norse": no, "loihi": Cell("exact", "", {"1": 4})})]
    text = page([*rows, Row("norm", "b", {"norse": no, "loihi": no})], [Cost("bntt", 0.9, 0.85)], 2)
    assert "| norm | `a` | 4 | refused (1) | exact |" in text
    assert "| norm | `b` |  | refused (1) | refused (1) |" in text
    assert "1. layer '1': cannot be\n" in text and "2." not in text.split("## Reasons")[1]
    assert "| `bntt` | 90.0 | 85.0 | 5.0 |" in text


@pytest.mark.parametrize(
    ("given", "word"),
    [(["--only", "norm:nn"], ", norm, "), (["--backends", "x"], "no backend is called")],
)
def test_names_that_are_not_there(given: list[str], word: str) -> None:
    done = CliRunner().invoke(app, ["methods", *given])
    assert done.exit_code == 2 and word in done.stderr
