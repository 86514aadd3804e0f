"""Small designs of every family come to what they came to: tests/data/designs.json, by tests/data/make_designs.py.

A test here that fails says that a design changed: read what. If that was meant, run the script.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from support.scripts import script

DATA = Path(__file__).parents[1] / "data"
HELD: dict[str, dict[str, Any]] = json.loads((DATA / "designs.json").read_text())
MAKER: Any = script(DATA / "make_designs.py")
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
"""Real numbers differ so much from machine to machine; whole ones do not at all."""


def test_every_design_is_held() -> None:
    assert list(HELD) == [MAKER.PROPOSALS, *MAKER.DESIGNS]


def test_families_propose_what_they_proposed() -> None:
    assert differing(HELD[MAKER.PROPOSALS], json.loads(json.dumps(MAKER.proposals())), "") == []


@pytest.mark.parametrize("name", MAKER.DESIGNS)
def test_a_design_comes_to_what_it_came_to(name: str) -> None:
    assert differing(HELD[name], MAKER.record(MAKER.DESIGNS[name], name), "") == []


def differing(held: Any, found: Any, place: str) -> list[str]:
    """Return where two structures of JSON differ, and how."""
    if isinstance(held, dict) and isinstance(found, dict) and held.keys() == found.keys():
        return [line for key in held for line in differing(held[key], found[key], f"{place}/{key}")]
    if isinstance(held, list) and isinstance(found, list) and len(held) == len(found):
        return [
            line for at, pair in enumerate(zip(held, found, strict=True)) for line in differing(*pair, f"{place}/{at}")
        ]
    same = held == found
    if isinstance(held, float) and isinstance(found, float):
        same = found == pytest.approx(held, rel=_RELATIVE, abs=_ABSOLUTE)
    return [] if same else [f"{place}: {held} → {found}"]
