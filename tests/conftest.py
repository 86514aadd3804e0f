"""Fixtures that several components share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Run, command_server

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.pop("COLUMNS", None)  # a console keeps the width it is made with, whatever a test then says


@pytest.fixture(scope="session")
def bundle_path() -> Path:
    """A small trained bundle (tests/data/make_bundle.py); read-only."""
    return Path(__file__).parent / "data" / "bundle"


@pytest.fixture(scope="session")
def run_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training run of a few seconds."""
    pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
    from qcskit.codec.signal import SignalConfig
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    path = tmp_path_factory.mktemp("run") / "run"
    recipe = TrainConfig(levels=4, decoder_widths=(32,), steps=500, warmup_steps=20, batch=500, test_frames=5000,
                         validation_frames=1000)  # fmt: skip
    train_run(path, recipe, SignalConfig(), lambda step, soft, hard: None)
    return path


@pytest.fixture(scope="session")
def source_env() -> dict[str, str]:
    """The environment with this checkout's source roots first, for child processes."""
    root = Path(__file__).parents[1]
    roots = sorted(str(package.parent) for package in root.glob("*/qcskit"))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(roots), "COLUMNS": "200"}


@pytest.fixture(scope="session")
def command(source_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The command, started from a process that has its libraries loaded."""
    with command_server(source_env, tmp_path_factory.mktemp("command")) as run:
        yield run
