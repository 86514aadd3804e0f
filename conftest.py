"""Every doctest runs in a folder of its own that holds a small trained bundle, `bundle`."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_bundle(request: pytest.FixtureRequest) -> None:
    """Enter a new folder, if the test is a doctest."""
    if isinstance(request.node, pytest.DoctestItem):
        folder: Path = request.getfixturevalue("tmp_path")
        shutil.copytree(Path(__file__).parent / "tests" / "data" / "bundle", folder / "bundle")
        request.getfixturevalue("monkeypatch").chdir(folder)
