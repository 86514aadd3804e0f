"""`qcskit simulate --boards`: emulated boards are implementations among the others."""

from pathlib import Path

import pytest
from test_boards import need

from qcskit.codec.bundle import read_bundle
from qcskit.firmware import BoardEncoder, FirmwareError, find_board
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.run import simulate

BUNDLE = read_bundle(Path(__file__).parents[1] / "data" / "bundle")


@pytest.mark.parametrize("boards", ["native", "cortex-m4", "native, rv32"])
def test_boards_are_compared_vector_by_vector(boards: str) -> None:
    names = [name.strip() for name in boards.split(",")]
    for name in names:
        need(find_board(name))
    config = SimulateConfig(vectors=400, tflm_vectors=0, litert_vectors=0, boards=boards, board_vectors=200)
    verdict = simulate(BUNDLE, config)
    assert verdict.passed
    tallies = {tally.name: tally for tally in verdict.implementations}
    assert all(tallies[name].vectors == 200 + len(BUNDLE.vectors["input"]) for name in names)


def test_an_unknown_board_is_named() -> None:
    with pytest.raises(FirmwareError, match="no board 'cortex-m5'"):
        simulate(BUNDLE, SimulateConfig(vectors=10, boards="cortex-m5"))


def test_a_board_that_dies_says_so() -> None:
    board = BoardEncoder("native", BUNDLE.path / "c", BUNDLE.manifest.name)
    x = BUNDLE.vectors["input"]
    assert (board.encode(x) == BUNDLE.vectors["packed"]).all()
    assert board._emulator is not None
    board._emulator.stop()
    board._wire._timeout_s = 0.5  # type: ignore[union-attr]
    with pytest.raises(FirmwareError, match="board 'native' stopped answering"):
        board.encode(x)
    board.stop()
    assert (board.encode(x) == BUNDLE.vectors["packed"]).all()
    board.stop()
