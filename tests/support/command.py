"""The command `qcskit` as its tests run it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

Made = Callable[[str], Path]
"""Fixture `made`: name of support.bundles.BUNDLES → path of that bundle."""
Run = Callable[..., subprocess.CompletedProcess[str]]
"""Fixture `run`: arguments → the finished command."""


def refused(done: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    """Check the exit code, that stderr is one line without a traceback, and its words."""
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]
