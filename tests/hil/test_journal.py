"""A journal cut short, damaged, of another run, of another format; a recorder that refuses a second answer."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from support.line import PretendBoard

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec, Packets
from qcskit.firmware.protocol.messages import Answers
from qcskit.hil.config import HilConfig
from qcskit.hil.journal import Journal, Recorder
from qcskit.hil.session import Run, identity, run_device
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


def test_a_recorder_takes_no_more_than_was_asked_for() -> None:
    recorder, rng = Recorder(7, ROOM), np.random.default_rng(0)
    with pytest.raises(QcsError, match="vectors 3 … 7 were answered twice"):
        recorder.take(answer(3, rng))
    recorder.take(answer(2, rng))
    assert recorder.missing() == [(0, 2)]
    assert recorder.packets(0, 3).lengths.tolist() == [0, 0, ROOM]


WHO = {"model_id": "0011", "vectors": 20, "seed": 1, "input": "counts", "board": "p"}


def written(path: Path) -> tuple[list[Answer], Recorder]:
    """A journal of three answers, 10 … 14 never answered; what it holds."""
    rng = np.random.default_rng(4)
    answers, recorder = [answer(start, rng, fixed=False) for start in (15, 0, 5)], Recorder(20, ROOM)
    with Journal(path, WHO) as journal:
        for one in answers:
            journal.append(one)
            recorder.take(one)
    return answers, recorder


def same(a: Recorder, b: Recorder, stretch: slice) -> bool:
    """Whether two recorders hold the same answers there."""
    columns = ("rows", "lengths", "ticks", "answered")
    return all(np.array_equal(getattr(a, name)[stretch], getattr(b, name)[stretch]) for name in columns)


def test_any_flipped_bit_costs_answers_and_never_gives_wrong_ones(tmp_path: Path) -> None:
    """Of every byte of a journal: the file is refused, or what stands from the flip on is dropped, on disk as well."""
    path = tmp_path / "j"
    answers, wanted = written(path)
    whole = path.read_bytes()
    body = whole.index(b"\n") + 1
    record = (len(whole) - body) // len(answers)
    for place in range(8 * len(whole)):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        recorder = Recorder(20, ROOM)
        if place // 8 < body:
            with pytest.raises(QcsError, match=r"delete it or leave out --resume"):
                Journal(path, WHO).load(recorder)
            assert path.read_bytes() == flipped
            assert not recorder.answered.any()
        else:
            good = (place // 8 - body) // record
            assert Journal(path, WHO).load(recorder) == 5 * good
            assert path.read_bytes() == whole[: body + good * record]
            assert recorder.answered.sum() == 5 * good
            assert all(same(recorder, wanted, slice(one.start, one.stop)) for one in answers[:good])


def test_what_is_appended_after_a_torn_tail_is_found(tmp_path: Path) -> None:
    path, missing = tmp_path / "j", answer(10, np.random.default_rng(9))
    answers, wanted = written(path)
    path.write_bytes(path.read_bytes()[:-1])
    with Journal(path, WHO) as journal:
        assert journal.load(Recorder(20, ROOM)) == 10
        journal.append(missing)
        journal.append(answers[2])
    wanted.take(missing)
    recorder = Recorder(20, ROOM)
    assert Journal(path, WHO).load(recorder) == 20
    assert same(recorder, wanted, slice(0, 20))
    assert recorder.seconds == [0.5] * 4


def test_every_answer_is_on_disk_before_the_next_comes(tmp_path: Path) -> None:
    """A process that is killed leaves all that it was given."""
    rng, path = np.random.default_rng(0), tmp_path / "new" / "j"
    with Journal(path, WHO) as journal:
        assert path.read_bytes() == json.dumps({"qcskit_journal": 2} | WHO).encode() + b"\n"
        for start in (0, 5, 10):
            journal.append(answer(start, rng))
            assert Journal(path, WHO).load(Recorder(20, ROOM)) == start + 5


@pytest.mark.parametrize(("key", "value"), [(key, "x") for key in WHO] + [("more", 1)])
def test_a_journal_of_any_other_run_is_refused(tmp_path: Path, key: str, value: object) -> None:
    path, recorder = tmp_path / "j", Recorder(20, ROOM)
    written(path)
    before = path.read_bytes()
    with pytest.raises(QcsError, match=r"of another run \(bundle, vectors, seed, input or board differ\); delete it"):
        Journal(path, WHO | {key: value}).load(recorder)
    assert not recorder.answered.any()
    assert path.read_bytes() == before


def test_no_journal_is_no_answer(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", WHO)
    assert journal.load(Recorder(20, ROOM)) == 0
    journal.discard()  # nothing to delete


@pytest.mark.parametrize("kept", [0, 5])
def test_a_run_that_breaks_off_says_whether_it_can_go_on(tmp_path: Path, kept: int) -> None:
    with contextlib.suppress(OSError), Journal(tmp_path / "j", WHO) as journal:
        if kept:
            journal.append(answer(0, np.random.default_rng(0)))
        error = OSError("gone")
        raise error
    assert str(error) == ("gone; answers so far are kept, go on with --resume" if kept else "gone")


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_takes_an_earlier_one_s_answers_only_when_told(codec: Codec, tmp_path: Path, resume: bool) -> None:
    """The earlier answers are wrong on purpose: their mismatches tell where they were taken."""
    vectors, path = VectorSet(codec, 60), tmp_path / "j"
    board = PretendBoard(vectors)
    wrong = Answers(np.zeros((20, codec.packed_bytes_max), np.uint8), np.full(20, 1), np.zeros(20, np.uint32))
    with Journal(path, identity(vectors, board.url)) as journal:
        journal.append(Answer(30, wrong, 0.5, 1))
    config = HilConfig(vectors=60)
    entry = run_device(codec, Run(board.url, config, path, True) if resume else Run(board.url, config, path))
    assert entry["resumed"] == (20 if resume else 0)
    assert [first["vector"] for first in entry["mismatches"]["first"]] == (list(range(30, 50)) if resume else [])
    recorder = Recorder(60, codec.packed_bytes_max)
    assert Journal(path, identity(vectors, board.url)).load(recorder) == 60
    expected: Packets = vectors.expected(vectors.values())
    assert recorder.packets().differ(expected).sum() == (20 if resume else 0)


def test_a_run_s_identity_is_all_that_decides_its_answers(codec: Codec, other_codec: Codec) -> None:
    one = identity(VectorSet(codec, 20), "p")
    others = [
        identity(VectorSet(other_codec, 20), "p"),
        identity(VectorSet(codec, 21), "p"),
        identity(VectorSet(codec, 20, seed=2), "p"),
        identity(VectorSet(codec, 20, kind="inputs"), "p"),
        identity(VectorSet(codec, 20), "q"),
    ]
    assert one == identity(VectorSet(codec, 20), "p")
    assert [sum(one[key] != other[key] for key in one) for other in others] == [1] * 5
