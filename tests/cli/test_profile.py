"""`qcskit profile`: counts of wrong bytes are void, and how many vectors were run is told."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.command import Made
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli import profile as verb
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import CheckFailedError
from qcskit.firmware.profile import Share
from qcskit.firmware.protocol.messages import Answers


@pytest.mark.parametrize("wrong", [0, 1, 3])
def test_counts_of_wrong_bytes_are_void(wrong: int, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = open_codec(made("classical"))
    packets = codec.encode_counts(verb.golden_counts(codec, 5))
    rows = packets.bytes.reshape(5, -1).copy()
    rows[:wrong, 0] ^= 1
    answers = Answers(rows, packets.lengths.astype(np.uint16), np.zeros(5, np.uint32))
    run = SimpleNamespace(answers=answers)
    monkeypatch.setattr("qcskit.firmware.count", lambda *asked: run)
    if not wrong:
        assert verb.counted(codec, "cortex-m4", 5) is run
        return
    told = rf"^board 'cortex-m4': {wrong} of 5 golden vectors came back wrong; counts are void$"
    with pytest.raises(CheckFailedError, match=told):
        verb.counted(codec, "cortex-m4", 5)


@pytest.mark.parametrize(("asked", "told"), [("32", False), ("1000", True)])
def test_fewer_golden_vectors_than_were_asked_for_are_told(
    asked: str, told: bool, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "counted", lambda *asked: SimpleNamespace(instructions=np.zeros(32, np.int64)))
    monkeypatch.setattr(verb, "show", lambda result: None)
    monkeypatch.setattr("qcskit.firmware.profile.profile", lambda counts: None)
    done = CliRunner().invoke(build_app(), ["profile", str(made("classical")), "-n", asked])
    assert done.exit_code == 0, done.output
    assert ("the bundle holds 32 golden vectors: all of them were run, not 1,000" in done.output) == told
    assert ("golden vectors" in done.output) == told


def test_every_share_is_a_row_of_its_figures() -> None:
    shares = (
        Share("one", 600.0, 1.0, 2.0, 3.0, 901.0, None, None),
        Share("two", 400.0, None, 5.0, 6.0, None, 7.0, 8.0),
    )
    with verb.console.capture() as shown:
        verb.console.print(verb._table("layer", shares, 1000.0))
    rows = [line.split() for line in shown.get().splitlines()]
    assert rows[-2] == ["one", "600", "60.0", "1", "2", "3", "901"]
    assert rows[-1] == ["two", "400", "40.0", "–", "5", "6", "7", "…", "8"]


def test_hard_packets_come_behind_the_golden_ones(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = open_codec(made("classical"))
    asked: list[np.ndarray] = []

    def count(board: str, c_dir: object, name: str, vectors: np.ndarray) -> SimpleNamespace:
        asked.append(vectors)
        packets = codec.encode_counts(vectors)
        rows = packets.bytes.reshape(len(vectors), -1)
        return SimpleNamespace(answers=Answers(rows, packets.lengths, np.zeros(len(vectors), np.uint32)))

    monkeypatch.setattr("qcskit.firmware.count", count)
    for hard in (0, 3):
        verb.counted(codec, "cortex-m4", 5, hard)
    golden = codec.bundle.vectors["counts"][:5]
    assert np.array_equal(asked[0], golden)
    assert np.array_equal(asked[1], np.concatenate([golden, codec.edges(3, np.random.default_rng(0))]))
