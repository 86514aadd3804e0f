"""Bundles of every kind, made once; the command in a process of its own, as a user runs it."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.bundles import BUNDLES
from support.command import Made, Run


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a function from a name of BUNDLES to the path of that bundle; read-only."""
    root = tmp_path_factory.mktemp("bundles")

    def path(name: str) -> Path:
        if not (root / name).exists():
            BUNDLES[name](root / name)
        return root / name

    return path


@pytest.fixture
def run(command: Run, source_env: dict[str, str], tmp_path: Path) -> Run:
    """Return a function that runs the command in tmp_path; with `start`, another start of Python."""

    def call(*arguments: str, start: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        if not start:
            return command(*arguments, cwd=tmp_path)
        return subprocess.run([sys.executable, *start, *arguments], capture_output=True, text=True, cwd=tmp_path,
                              env=source_env, check=False, timeout=120)  # fmt: skip

    return call
