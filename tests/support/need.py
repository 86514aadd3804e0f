"""Skip a test for want of a program, with the command that brings it."""

import shutil

import pytest

from qcskit.firmware import Board, find_board, install_command


def need_board(board: str | Board) -> Board:
    """Return a board; skip if it lacks a compiler or an emulator."""
    entry = find_board(board) if isinstance(board, str) else board
    if entry.missing:
        tools = ", ".join(tool for tool, _package in entry.missing)
        packages = sorted({package for _tool, package in entry.missing})
        pytest.skip(f"{entry.name} needs {tools}: {install_command(*packages)}")
    return entry


def need_tool(tool: str, package: str) -> None:
    """Skip if a program is not installed."""
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}: sudo apt-get install {package}")
