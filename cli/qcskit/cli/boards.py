"""`qcskit boards`: every board, where it was run, and whether this machine can build and run it."""

from typing import TYPE_CHECKING

from qcskit.cli.common import JsonOption, console, error_console, print_json
from qcskit.cli.sheet import Sheet

if TYPE_CHECKING:
    from qcskit.firmware import Board


def boards(json: JsonOption = False) -> None:
    """List the boards, emulated or yours: where each was run, and what is missing to use it here."""
    from qcskit import firmware

    known, problems = firmware.boards().values(), firmware.board_problems()
    if json:
        print_json({"boards": [_facts(board) for board in known], "problems": problems})
        return
    table = Sheet("board", "core", "what it is", "flash", "RAM", "tried", "here", box=None, pad_edge=False)
    for b in known:
        sizes = _size(b.flash_bytes), _size(b.ram_bytes)
        table.add_row(b.name, b.core, b.summary, *sizes, b.proof or "compiled", _here(b))
    console.print(table)
    console.print("tried: where the board's own image was run: in an emulator of that chip, in one of the same core "
                  "only, or nowhere (compiled).\nhere: emulated boards are --port emu:<board>; the others are written "
                  "by 'qcskit flash'.", highlight=False, soft_wrap=True)  # fmt: skip
    for problem in problems:
        error_console.print(problem, highlight=False, soft_wrap=True)


def _facts(board: "Board") -> dict[str, object]:
    from qcskit.firmware import PROOFS

    return {
        "name": board.name, "aliases": list(board.aliases), "core": board.core, "summary": board.summary,
        "flash_bytes": board.flash_bytes, "ram_bytes": board.ram_bytes, "baud": board.baud,
        "tried": PROOFS[board.proof], "emulated": bool(board.emulator), "ready": board.ready,
        "builds": not board.missing, "missing": [tool for tool, _package in board.missing],
        "flash_tools": [command[0] for command in board.flash],
    }  # fmt: skip


def _here(board: "Board") -> str:
    if board.missing:
        return f"needs {', '.join(package for _tool, package in board.missing)}"
    return "runs" if board.ready else "builds"


def _size(n: int) -> str:
    if not n:
        return ""
    return f"{n >> 20} MB" if n >= 1 << 20 else f"{n >> 10} KB"
