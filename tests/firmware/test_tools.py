"""What `qcskit doctor` knows of programs: each once, with all the boards that need it."""

from qcskit.firmware.boards import boards
from qcskit.firmware.tools import tool_report


def test_every_program_that_a_board_needs_is_told_once() -> None:
    report = tool_report()
    told = {(tool.name, tool.package): set(tool.boards) for tool in report}
    assert len(report) == len(told) > 5
    needed = {need for board in boards().values() for need in board.tools}
    assert told == {need: {board.name for board in boards().values() if need in board.tools} for need in needed}
    assert all(tool.path or not tool.version for tool in report)
