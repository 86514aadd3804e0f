"""Make `tests/data/screens`: what the sessions of tests/support/sessions.py print, a file each.

Read what changed before you commit it: each figure, unit and word. Run: python tests/data/make_screens.py
"""

import os
import sys
from pathlib import Path

os.environ.pop("COLUMNS", None)
sys.path.insert(0, str(Path(__file__).parents[1]))

from support.screens import SCREENS, played
from support.sessions import SESSIONS


def main() -> None:
    """Write every screen; remove those of no session."""
    for file in SCREENS.glob("*.txt"):
        if file.stem not in SESSIONS:
            file.unlink()
    for name, session in SESSIONS.items():
        (SCREENS / f"{name}.txt").write_text(played(session), encoding="utf-8")


if __name__ == "__main__":
    main()
