"""What users see, held word for word: every session of support/sessions.py prints what data/screens holds."""

from difflib import unified_diff

import pytest
from support.need import need_tool
from support.screens import SCREENS, played
from support.sessions import SESSIONS

RENEW = "read what changed; if it is meant: python tests/data/make_screens.py"
COMPILED = ("simulate", "measured", "kept")


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_prints_what_is_written(name: str) -> None:
    if name in COMPILED:
        need_tool("gcc", "gcc")
    wanted = (SCREENS / f"{name}.txt").read_text(encoding="utf-8")
    found = played(SESSIONS[name])
    changes = unified_diff(wanted.splitlines(), found.splitlines(), f"data/screens/{name}.txt", "printed", lineterm="")
    assert found == wanted, "\n".join([RENEW, *changes])


def test_every_screen_has_its_session_and_all_are_small() -> None:
    files = [*SCREENS.glob("*")]
    assert sorted(file.name for file in files) == sorted(f"{name}.txt" for name in SESSIONS)
    assert sum(file.stat().st_size for file in files) < 80_000
