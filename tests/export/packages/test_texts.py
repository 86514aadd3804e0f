"""Every text of a library is what it was: tests/data/packages, written by tests/data/make_packages.py.

A test here that fails shows what changed. If that was meant, run the script, and read the libraries as a user would.
"""

from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from support.scripts import script

DATA = Path(__file__).parents[2] / "data"
MAKER: Any = script(DATA / "make_packages.py")


@pytest.mark.parametrize("name", MAKER.LIBRARIES)
def test_a_library_says_what_it_said(name: str) -> None:
    held = (DATA / "packages" / f"{name}.txt").read_text(encoding="utf-8")
    found = MAKER.texts(**MAKER.LIBRARIES[name])
    assert list(unified_diff(held.splitlines(), found.splitlines(), "held", "found", lineterm="", n=1)) == []
