"""Puts this directory's helpers and the benchmarks' models on the import path; one bundle shared by the tests."""

import sys
from pathlib import Path

import pytest

from qcskit.codec.bundle import Bundle, read_bundle

sys.path.insert(0, str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """10-50-10, I = 8: random weights of a trained network's size, exported by the real exporter."""
    from random_bundles import write_random_bundle

    path = tmp_path_factory.mktemp("sim") / "bundle"
    write_random_bundle(path, widths=(10, 50, 10), levels=8, seed=1)
    return read_bundle(path)
