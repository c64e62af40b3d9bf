"""docs/capabilities.md is what `spikeport conformance --write` measures, engine by engine."""

import re
from pathlib import Path

import pytest

from spikeport.backends import registry
from spikeport.backends.conformance import BUILDERS, make
from spikeport.core.errors import BackendUnavailable
from spikeport.verify.conformance.page import PRIMITIVES, Column, page, plain, summary
from spikeport.verify.conformance.subjects import Engine
from spikeport.verify.conformance.verdict import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "capabilities.md"
TEXT = PAGE.read_text(encoding="utf8")
QUICK = tuple(n for n in registry.BUILT_IN if not n.startswith("lava"))
FEW = ("lif_neurons", "subtract_if", "threshold", "leaky_readout", "refractory", "nested_loop")


def table(first: str) -> tuple[list[str], dict[str, list[str]]]:
    """The columns of a table, and its rows."""
    lines = TEXT.split(f"\n| {first} | ")[1].split("\n\n")[0].splitlines()
    head, rows = f"{first} | {lines[0]}".removesuffix(" |"), [x[2:-2] for x in lines[2:]]
    names = [name.strip("`") for name in head.split(" | ")[1:]]
    cells = [row.split(" | ") for row in rows]
    return names, {row[0].strip("`"): row[1:] for row in cells}


def committed() -> dict[str, dict[str, tuple[str, str]]]:
    """Engine -> case -> (verdict, reason)."""
    reasons = dict(re.findall(r"^(\d+)\. (.*)$", TEXT, re.M))
    names, rows = table("case")
    found: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in names}
    for case, cells in rows.items():
        for name, cell in zip(names, cells, strict=True):
            said = re.fullmatch(r"([\w *]+?)(?: \((\d+)\))?", cell)
            assert said, cell
            found[name][case] = (said[1], reasons[said[2]] if said[2] else "")
    return found


def hold(name: str, cases: tuple[str, ...]) -> None:
    """The engine does what the page says."""
    try:
        engine = Engine(registry.get(name))
    except BackendUnavailable as error:
        assert registry.BUILT_IN[name].optional
        pytest.skip(str(error))
    for case in cases:
        found = engine.verdict(make(case))
        assert (found.word, plain(found.why)) == committed()[name][case], case


@pytest.mark.parametrize("name", QUICK)
def test_a_few_cells_are_measured(name: str) -> None:
    hold(name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_cell_is_measured(name: str) -> None:
    hold(name, tuple(BUILDERS))


def test_every_case_and_engine_is_there() -> None:
    told = committed()
    assert set(told) == set(registry.BUILT_IN)
    assert all(list(cases) == list(BUILDERS) for cases in told.values())


def test_no_cell_runs_and_is_wrong() -> None:
    """Exact, within what the engine promises, or refused with a reason."""
    for cases in committed().values():
        for verdict, why in cases.values():
            assert verdict in ("exact", "within tolerance", "refuses")
            assert bool(why) == (verdict != "exact")


def test_primitives_are_counted_from_the_cases() -> None:
    names, rows = table("primitive")
    told = committed()
    assert list(rows) == list(PRIMITIVES)
    for place, name in enumerate(names):
        column = Column(name, {}, {c: Verdict(w) for c, (w, _) in told[name].items()})  # type: ignore[arg-type]
        for kind, cells in rows.items():
            assert cells[place] == summary(column, kind), (name, kind)


def test_every_primitive_of_nir_has_a_case() -> None:
    import nir

    held = frozenset[str]().union(*(make(name).primitives for name in BUILDERS))
    there = {n for n, kind in vars(nir).items() if isinstance(kind, type)}
    nodes = there - {"NIRGraph", "NIRNode", "TypedDict"}
    assert nodes & set(PRIMITIVES) <= held
    assert set(PRIMITIVES) - {"BatchNorm", "MaxPool2d"} <= nodes


def test_versions_and_date_are_there() -> None:
    assert re.search(r"^Measured on \d{4}-\d\d-\d\d with:$", TEXT, re.M)
    for name in registry.BUILT_IN:
        assert re.search(rf"^- `{name}`: \w.* \d", TEXT, re.M), name


def test_a_wrong_cell_would_be_seen() -> None:
    found = {"lif_neurons": Verdict("WRONG", "2 spikes | differ", "one", 3)}
    text = page([Column("bad", {"x": "1"}, found)], "2026-01-01")
    assert "| `lif_neurons` | **WRONG** (1) |" in text
    assert "1. 2 spikes \\| differ" in text
