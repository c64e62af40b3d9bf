"""The house stays a house: who may import whom, and what the wheel carries."""

import ast
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {  # wing -> wings it may name
    "core": set(),
    "trainer": {"core"},
    "export": {"core"},
    "backends": {"core"},
    "verify": {"core", "export", "backends"},
}
# the only two exceptions: folders that may name the trainer
DOORS = {("verify/cli/", "trainer"), ("export/from_torch/", "trainer")}
ONLY_IN = {  # heavy package -> files that may import it
    "torch": {
        "trainer/",
        "export/from_torch/",
        "backends/norse.py",
        "backends/loihi/",
        "backends/torch_graph.py",
        "backends/snn_torch.py",
        "backends/spiking_jelly.py",
        "backends/sinabs_layers.py",
    },
    "nengo": {"backends/nengo_sim.py"},
    "brian2": {"backends/brian.py"},
    "sinabs": {"backends/sinabs_layers.py"},
    "snntorch": {"backends/snn_torch.py"},
    "spikingjelly": {"backends/spiking_jelly.py"},
    "norse": {"backends/norse.py"},
    "numba": {"trainer/", "backends/loihi/"},
    "lightning_fabric": {"trainer/"},
    "sklearn": {"trainer/data/digits.py"},
    "matplotlib": {"verify/report/", "verify/reproduce/", "verify/analyses/"},
    "jinja2": {"verify/report/"},
    "lava": {"backends/lava/worker/"},
}
FILES = sorted(p.relative_to(ROOT) for w in MAY_IMPORT for p in (ROOT / w).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Return the dotted names the file imports, relative ones resolved from the root."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = path.parts[: len(path.parts) - node.level] if node.level else ()
            for alias in node.names:
                found.add(".".join(filter(None, (*base, node.module, alias.name))))
    return found


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_run_downward(path: Path) -> None:
    """A wing names only the wings below it, and itself."""
    wing = path.parts[0]
    for name in imports(path):
        top = name.split(".")[0]
        assert top != "spikeport", f"{path}: inside the package imports are relative, not {name}"
        if top in MAY_IMPORT and top != wing:
            assert top in MAY_IMPORT[wing] or any(
                str(path).startswith(place) and top == wanted for place, wanted in DOORS
            ), f"{path} imports {name}"
        if top in ONLY_IN:
            assert any(str(path).startswith(p) for p in ONLY_IN[top]), f"{path} imports {top}"


def test_worker_stands_alone() -> None:
    """The worker runs in another Python: standard library, numpy, lava and itself."""
    allowed = set(sys.stdlib_module_names) | {"numpy", "lava", "backends"}
    for path in FILES:
        if str(path).startswith("backends/lava/worker/"):
            for name in imports(path):
                assert name.split(".")[0] in allowed, f"{path} imports {name}"
                if name.startswith("backends"):
                    assert name.startswith("backends.lava.worker"), f"{path} climbs out: {name}"


def test_wheel_lists_every_folder() -> None:
    """A folder with an __init__ is a package of the wheel."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    there = {".".join(("spikeport", *p.parent.parts)) for p in FILES if p.name == "__init__.py"}
    assert listed == there | {"spikeport", "spikeport.examples"}


@pytest.mark.parametrize("wing", MAY_IMPORT)
def test_the_plan_names_every_file_of_a_wing(wing: str) -> None:
    """Folders have rows of their own; what stands beside them is named by file."""
    plan = (ROOT / "docs" / "architecture.md").read_text()
    files = {p.name for p in FILES if p.parent == Path(wing) and not p.name.startswith("__")}
    named = (f"`{wing}/{name}`" in plan or f"`{name}`" in plan for name in sorted(files))
    assert [name for name, is_so in zip(sorted(files), named, strict=True) if not is_so] == []
    folders = {p.parts[1] for p in FILES if p.parts[0] == wing and len(p.parts) > 2}
    assert [f for f in sorted(folders) if f"`{f}/" not in plan and f"{wing}/{f}/" not in plan] == []
