"""A board as a function, and as an implementation among the others in `qcskit simulate --boards`."""

import numpy as np
import pytest
from support.bundles import BUNDLES, learned_bundle
from support.need import need_board

from qcskit.codec.interface import Codec
from qcskit.firmware import BoardEncoder, FirmwareError, c_directory
from qcskit.firmware_sim import SimulateConfig, simulate


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return learned_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.mark.parametrize("boards", ["native", "cortex-m4", "native, rv32"])
def test_boards_are_compared_vector_by_vector(codec: Codec, boards: str) -> None:
    names = [need_board(name.strip()).name for name in boards.split(",")]
    config = SimulateConfig(vectors=400, oracle_vectors=0, reported_vectors=0, boards=boards, board_vectors=200)
    verdict = simulate(codec.bundle, config)
    assert verdict.passed
    tallies = {tally.name: tally for tally in verdict.implementations}
    golden = verdict.sets["golden"] + verdict.sets["golden inputs"]
    assert all(tallies[name].vectors == 200 + golden for name in names)


@pytest.mark.parametrize("kind", BUNDLES)
def test_every_codec_runs_on_a_board(kind: str, tmp_path) -> None:
    need_board("cortex-m4")
    verdict = simulate(BUNDLES[kind](tmp_path / "b").bundle, SimulateConfig(vectors=200, boards="cortex-m4"))
    assert verdict.passed
    assert {tally.name for tally in verdict.implementations if tally.vectors} >= {"numpy", "c-host", "cortex-m4"}


def test_an_unknown_board_is_named(codec: Codec) -> None:
    with pytest.raises(FirmwareError, match="no board 'cortex-m5'"):
        simulate(codec.bundle, SimulateConfig(vectors=10, boards="cortex-m5"))


def test_a_board_that_dies_says_so(codec: Codec) -> None:
    board = BoardEncoder("native", c_directory(codec.c_files()), codec.name)
    x, wanted = codec.bundle.vectors["input"], codec.bundle.vectors["input_packed"]
    assert np.array_equal(board.encode(x).rows.ravel(), wanted)
    assert board._running is not None
    emulator, wire, _info = board._running
    emulator.stop()
    wire._timeout_s = 0.5
    with pytest.raises(FirmwareError, match="board 'native' stopped answering"):
        board.encode(x)
    board.stop()
    assert np.array_equal(board.encode(x).rows.ravel(), wanted)
    board.stop()
