"""Settings of every test."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

VECTORS = Path(__file__).parents[2] / "shared" / "vectors" / "vectors.json"

# a busy machine is no failure: speed is measured in benchmarks/, never in a test
settings.register_profile("spikeport", deadline=None, print_blob=True)
settings.load_profile("spikeport")


LONG = ("verify", "trainer")  # folders whose files take longest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first: processes side by side take a file each, and a long one that came last
    would leave the others idle."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return LONG.index(folder) if folder in LONG else len(LONG)

    items.sort(key=place)


@pytest.fixture(scope="session")
def vector() -> Callable[[str], tuple[dict[str, Any], dict[str, Any]]]:
    """(inputs, expected) of a vector worked out independently, by name."""
    if not VECTORS.exists():
        pytest.skip(f"the vectors are not beside this clone ({VECTORS})")
    found = {v["name"]: v for v in json.loads(VECTORS.read_text())["vectors"]}
    return lambda name: (found[name]["inputs"], found[name]["expected"])
