"""A journal cut short, of another run, of another format; a recorder that refuses a second answer."""

from pathlib import Path

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.messages import Answers
from qcskit.hil.journal import Journal, Recorder
from qcskit.hil.session import identity
from qcskit.hil.stream import Answer
from qcskit.hil.vectors import VectorSet

ROOM = 4


def answer(start: int, rng: np.random.Generator, *, fixed: bool = True) -> Answer:
    """Five packets of ROOM bytes, or of 1 … ROOM."""
    lengths = np.full(5, ROOM) if fixed else rng.integers(1, ROOM + 1, 5)
    rows = rng.integers(0, 256, (5, ROOM), np.uint8) * (np.arange(ROOM) < lengths[:, None])
    return Answer(start, Answers(rows.astype(np.uint8), lengths, rng.integers(0, 99, 5).astype(np.uint32)), 0.5, 1)


@pytest.mark.parametrize("fixed", [True, False], ids=["one size", "any length"])
def test_a_journal_survives_being_cut_anywhere(codec: Codec, tmp_path: Path, fixed: bool) -> None:
    rng = np.random.default_rng(0)
    answers = [answer(start, rng, fixed=fixed) for start in (10, 0, 5, 15)]
    path, who = tmp_path / "j", identity(VectorSet(codec, 20), "p")
    ends = []
    with Journal(path, who) as journal:
        for one in answers:
            journal.append(one)
            journal._file.flush()
            ends.append(path.stat().st_size)
    whole = path.read_bytes()
    for cut in range(whole.index(b"\n") + 1, len(whole) + 1):
        path.write_bytes(whole[:cut])
        recorder = Recorder(20, ROOM)
        kept = Journal(path, who).load(recorder)
        assert kept == 5 * sum(end <= cut for end in ends)
        for one in answers[: kept // 5]:
            stretch = slice(one.start, one.stop)
            assert np.array_equal(recorder.rows[stretch], one.result.rows)
            assert np.array_equal(recorder.lengths[stretch], one.result.lengths)
            assert np.array_equal(recorder.ticks[stretch], one.result.ticks)
    assert recorder.answered.all()
    with pytest.raises(QcsError, match="another run"):
        Journal(path, who | {"seed": 2}).load(Recorder(20, ROOM))


@pytest.mark.parametrize("head", [b'{"qcskit_journal": 1, "seed": 1}\n', b"\n", b"[1]\n", b"{\n", b""])
def test_a_journal_of_another_format_is_one_clear_error(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(head)
    with pytest.raises(QcsError, match=r"is a journal of format (1|None), .* 2 only; delete it or leave out --resume"):
        Journal(path, {}).load(Recorder(20, ROOM))


def test_a_second_answer_is_refused() -> None:
    recorder, rng = Recorder(20, ROOM), np.random.default_rng(0)
    recorder.take(answer(3, rng))
    with pytest.raises(QcsError, match="answered twice"):
        recorder.take(answer(7, rng))
    assert recorder.missing() == [(0, 3), (8, 20)]
