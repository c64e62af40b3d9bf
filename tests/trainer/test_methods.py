"""The answers for deployment stand in the documentation as they stand in the code."""

from pathlib import Path
from typing import get_args

import pytest

from spikeport.core import settings
from spikeport.trainer.encoders import ENCODERS
from spikeport.trainer.losses import LOSSES
from spikeport.trainer.methods import Outcome, table
from spikeport.trainer.norms import NORMS
from spikeport.trainer.readouts import READOUTS
from spikeport.trainer.regularisers import REGULARISERS

PAGE = Path(__file__).parents[2] / "docs" / "trainer-norms.md"
REGISTRIES = {
    "norms": {n: each.deployed for n, each in NORMS.items()},
    "regularisers": {n: each.deployed for n, each in REGULARISERS.items()},
    "losses": {n: each.deployed for n, each in LOSSES.items()},
    "encoders": {n: each.deployed for n, each in ENCODERS.items()},
    "readouts": {n: each.deployed for n, each in READOUTS.items()},
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_the_page_says_what_the_code_says(name: str) -> None:
    rows = REGISTRIES[name]
    assert "\n" + "\n".join(table(rows)) + "\n\n" in PAGE.read_text(encoding="utf-8")
    assert all(a.outcome in get_args(Outcome) and a.how for a in rows.values())


def test_the_page_has_no_other_rows() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    assert len(rows) == sum(map(len, REGISTRIES.values()))


def test_settings_name_every_encoder() -> None:
    kinds = get_args(get_args(settings.AnyEncoder)[0])
    assert [kind.model_fields["kind"].default for kind in kinds] == list(ENCODERS)
