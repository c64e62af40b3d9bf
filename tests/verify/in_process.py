"""Verbs without a process of their own, whose start takes seconds; `test_cli` gives them one."""

import contextlib
from pathlib import Path

from typer.testing import CliRunner, Result

from spikeport.verify.cli.app import app


def told(*words: str | Path, cwd: Path) -> Result:
    """What a verb prints, and how it ends."""
    with contextlib.chdir(cwd):
        return CliRunner().invoke(app, list(map(str, words)))


def ok(*words: str | Path, cwd: Path) -> Result:
    done = told(*words, cwd=cwd)
    assert done.exit_code == 0, (done.stderr, done.exception)
    return done


def refused(*words: str | Path, cwd: Path, says: str | tuple[str, ...]) -> None:
    """Exit status 2, one clear line, nothing new in the folder."""
    before = sorted(cwd.rglob("*"))
    done = told(*words, cwd=cwd)
    is_refusal(done.exit_code, done.stderr, says)
    assert sorted(cwd.rglob("*")) == before


def is_refusal(code: int, stderr: str, says: str | tuple[str, ...]) -> None:
    """Exit status 2, and one clear line that says so."""
    assert code == 2, (code, stderr)
    lines = stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("spikeport: "), stderr
    assert all(s in lines[0] for s in ((says,) if isinstance(says, str) else says)), lines[0]
