"""Which compilers and emulators this machine has, over all boards."""

import shutil
from dataclasses import dataclass

from qcskit.firmware.boards import boards
from qcskit.firmware.compile import tool_version


@dataclass(frozen=True)
class Tool:
    """One program: path and version ('' if not installed), its Debian package, the boards that need it."""

    name: str
    package: str
    path: str
    version: str
    boards: tuple[str, ...]


def tool_report() -> list[Tool]:
    """Return every program that any board needs, in the order of the boards."""
    users: dict[tuple[str, str], list[str]] = {}
    for board in boards().values():
        for need in board.tools:
            users.setdefault(need, []).append(board.name)
    report = []
    for (name, package), names in users.items():
        path = shutil.which(name) or ""
        report.append(Tool(name, package, path, tool_version(path) if path else "", tuple(names)))
    return report
