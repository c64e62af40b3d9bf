"""Experiments: claims are computed, pages say what was found."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.core.errors import ConfigError
from spikeport.trainer.sweep.plan import parse as planned
from spikeport.verify.reproduce.claims import AnyClaim, Group, judged
from spikeport.verify.reproduce.experiment import BESIDE, experiment, names, parse
from spikeport.verify.statistics import mean_interval, paired_interval

DOCS = Path(__file__).parents[2] / "docs"


def groups(**values: list[float]) -> list[Group]:
    """A group for each name, along k = 0, 1, ...; the name is its case."""
    return [
        Group(name, {"case": name, "k": k}, {"accuracy": v, "rate": v})
        for k, (name, v) in enumerate(values.items())
    ]


def claim(text: str) -> AnyClaim:
    """A claim of a file."""
    found = parse(
        "one", f'[experiment]\ntitle="t"\npaper="p"\nscaled="s"\n[[claims]]\ntext="it"\n{text}'
    )
    return found.contents.claims[0]


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_monotone_is_strictly_so(values: list[float]) -> None:
    made = groups(**{f"g{i}": [v] for i, v in enumerate(values)})
    falls = claim("kind='monotone'\nvalue='rate'\nalong='k'")
    assert judged(falls, made).seen == all(a > b for a, b in zip(values, values[1:], strict=False))


@given(st.lists(st.floats(0, 1), min_size=3, max_size=6, unique=True))
def test_inside_is_at_neither_end(values: list[float]) -> None:
    made = groups(**{f"g{i}": [v] for i, v in enumerate(values)})
    verdict = judged(claim("kind='inside'\nvalue='rate'\nalong='k'"), made)
    assert verdict.seen == (0 < values.index(max(values)) < len(values) - 1)


@pytest.mark.parametrize(
    ("second", "margin", "seen"),
    [([0.1, 0.2, 0.3], 0.0, True), ([0.1, 0.2, 0.3], 51.0, False), ([0.6, 0.7, 0.9], 0.0, False)],
)
def test_higher_by_the_paired_interval(second: list[float], margin: float, seen: bool) -> None:
    made = groups(a=[0.6, 0.7, 0.8], b=second)
    text = f"kind='higher'\nfirst={{case='a'}}\nsecond={{case='b'}}\nmargin={margin}"
    assert judged(claim(text), made).seen is seen


@pytest.mark.parametrize(("cost", "seen"), [(0.005, True), (0.02, False)])
def test_factor_counts_only_what_is_affordable(cost: float, seen: bool) -> None:
    made = [
        Group("base", {"k": 0}, {"accuracy": [0.9], "rate": [0.3]}),
        Group("less", {"k": 1}, {"accuracy": [0.9 - cost], "rate": [0.1]}),
        Group("none", {"k": 2}, {"accuracy": [0.1], "rate": [0.01]}),
    ]
    text = "kind='factor-at-cost'\nvalue='rate'\nbase={k=0}\nfactor=2.5\nmost=1.0"
    verdict = judged(claim(text), made)
    assert verdict.seen is seen and ("3.00 x" in verdict.told) is seen


def test_within_takes_the_best_over_a_key() -> None:
    made = [
        Group(f"{s}{w}", {"shape": s, "w": w}, {"accuracy": [a]})
        for s, w, a in (("x", 1, 0.9), ("x", 2, 0.2), ("y", 1, 0.1), ("y", 2, 0.89))
    ]
    assert judged(claim("kind='within'\nmargin=2.0\nbest_over='w'"), made).seen
    assert not judged(claim("kind='within'\nmargin=2.0"), made).seen


def test_bounds() -> None:
    made = groups(a=[0.5, 0.6])
    assert judged(claim("kind='bound'\nwhere={case='a'}\nabove=54.0"), made).seen
    assert not judged(claim("kind='bound'\nwhere={case='a'}\nbelow=54.0"), made).seen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind='bound'\nwhere={case='z'}\nabove=1.0", "no group is that"),
        ("kind='higher'\nfirst={}\nsecond={case='b'}", "2 groups; say which"),
        ("kind='bound'\nwhere={case='a'}\nvalue='energy'\nabove=1.0", "no value 'energy'"),
    ],
)
def test_claims_about_nothing(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        judged(claim(text), groups(a=[0.1], b=[0.2]))


def test_intervals_are_students() -> None:
    middle, low, high = mean_interval([1.0, 2.0, 3.0])
    assert middle == 2.0 and high - middle == pytest.approx(2.484, abs=1e-3)
    assert low == pytest.approx(4.0 - high)
    assert paired_interval([1.0, 2.0], [0.0, 1.0]) == (1.0, 1.0, 1.0)
    assert mean_interval([5.0])[1:] == (float("-inf"), float("inf"))


@pytest.mark.parametrize("name", names())
def test_committed_experiments(name: str) -> None:
    found = experiment(name)
    plan = planned(found.text, found.origin, (), BESIDE)
    assert len({c.config.seed for c in plan.cells}) >= 3 and found.contents.claims
    row = f"| [{name}](reproduce/{name}.md) | {found.contents.experiment.title} |"
    assert row in (DOCS / "reproduce.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", names())
def test_pages_are_of_the_committed_numbers(name: str) -> None:
    """What a page says was seen follows from the numbers beside it and the claims of today."""
    facts: dict[str, Any] = json.loads((DOCS / "reproduce" / f"{name}.json").read_text())
    made = [Group("", g["keys"], g["values"]) for g in facts["groups"]]
    page = (DOCS / "reproduce" / f"{name}.md").read_text(encoding="utf-8")
    for each in experiment(name).contents.claims:
        verdict = judged(each, made)
        assert f"* **{'seen' if verdict.seen else 'not seen'}**: {each.text}: " in page


def test_command_line(tmp_path: Path) -> None:
    small = ["data.samples=60", "data.validation_samples=20", "train.epochs=1", "data.name=digits"]
    small += ["model.channels=[2,2]", "sweep.grid.seed=[0,1]", "sweep.measure.samples=40"]
    words = [w for s in small for w in ("--set", s)]
    command = [sys.executable, "-m", "spikeport", "reproduce", "spike-penalty"]
    out = [*command, "--out", str(tmp_path), "--json", *words]
    told = json.loads(subprocess.check_output(out, text=True))
    assert len(told["groups"]) == 10 and len(told["claims"]) == 3
    assert told == json.loads((tmp_path / "spike-penalty.json").read_text())
    page = (tmp_path / "spike-penalty.md").read_text()
    assert "--set data.samples=60" in page and "![Spike penalisation](spike-penalty.svg)" in page
    assert (tmp_path / "spike-penalty.svg").read_text().count("<svg") == 1
    wrong = subprocess.run([*command[:-1], "nothing"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2 and "there is no experiment 'nothing'" in wrong.stderr
