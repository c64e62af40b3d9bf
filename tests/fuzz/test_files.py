"""Whatever became of a file on its way: a network, or a NetworkError, soon, and in little room."""

from collections import Counter
from pathlib import Path

import pytest

from .bases import bases
from .mutants import mutant
from .reader import Reader, complaint


def hold(first: int, count: int, folder: Path) -> Counter[str]:
    """What became of so many mutants; fails with the list of what is wrong."""
    (folder / "bases").mkdir()
    (folder / "mutants").mkdir()
    whole = bases(folder / "bases")
    ends: Counter[str] = Counter()
    wrong = []
    with Reader() as reader:
        for path in whole:
            told = reader.read(path)
            assert (told["end"], told["text"]) == ("network", ""), (path.name, told)
        for number in range(first, first + count):
            path, how = mutant(number, whole, folder / "mutants")
            told = reader.read(path)
            ends[told["end"]] += 1
            what = complaint(told)
            if what is not None:
                wrong.append(f"mutant {number} ({how}): {what}")
            path.unlink()
    assert not wrong, "\n".join(wrong)
    return ends


def test_mutants(tmp_path: Path) -> None:
    """Most mutants are refused, and some are still networks: the mutations are neither idle nor
    all of one kind."""
    ends = hold(0, 200, tmp_path)
    assert ends["refused"] > 120 and ends["network"] > 8, ends


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 11_000, 1000))
def test_ten_thousand_mutants(first: int, tmp_path: Path) -> None:
    hold(first, 1000, tmp_path)


def test_a_mutant_is_always_the_same(tmp_path: Path) -> None:
    """So that what fails can be made again by its number."""
    (tmp_path / "bases").mkdir()
    whole = bases(tmp_path / "bases")
    first, how = mutant(7, whole, tmp_path)
    kept = first.read_bytes()
    assert mutant(7, whole, tmp_path) == (first, how)
    assert first.read_bytes() == kept
