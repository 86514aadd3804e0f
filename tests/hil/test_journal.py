"""A journal cut short, damaged, of another run, of another format; a recorder that refuses a second answer."""

import contextlib
import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.hostile import byte_mutants, forge_evidence, json_mutants, odd_files
from support.line import PretendBoard

from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence
from qcskit.codec.interface import Codec, Packets
from qcskit.firmware.protocol.messages import Answers
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.evidence import image_parts, run_evidence
from qcskit.hil.journal import Journal, Recorder
from qcskit.hil.session import Run, run_device
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
    path, who = tmp_path / "j", run_evidence(VectorSet(codec, 20), "p", {})
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
    with pytest.raises(QcsError, match=r"^journal '.*' is of another run: vectors differs; delete it or leave out"):
        Journal(path, run_evidence(VectorSet(codec, 20, seed=2), "p", {})).load(Recorder(20, ROOM))


@pytest.mark.parametrize("head", [b'{"qcskit_journal": 1, "seed": 1}\n', b"\n", b"[1]\n", b"{\n", b"", b"[" * 10**5])
def test_a_journal_of_another_format_is_one_clear_error(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(head)
    with pytest.raises(QcsError, match=r"is a journal of format (1|None), .* 3 only; delete it or leave out --resume"):
        Journal(path, WHO).load(Recorder(20, ROOM))


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


PARTS = {"bundle": "0011", "vectors": "20 of seed 1", "board": "p", "image": "4411"}
WHO = Evidence.of(PARTS)


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
    """Of most bytes of the head and all of the rest: refused, or what stands from there on is dropped, on disk too."""
    path = tmp_path / "j"
    answers, wanted = written(path)
    whole = path.read_bytes()
    body = whole.index(b"\n") + 1
    record = (len(whole) - body) // len(answers)
    for place in (*range(0, 8 * body, 11), *range(8 * body, 8 * len(whole))):
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
        assert path.read_bytes() == json.dumps({"qcskit_journal": 3, "evidence": WHO.model_dump()}).encode() + b"\n"
        for start in (0, 5, 10):
            journal.append(answer(start, rng))
            assert Journal(path, WHO).load(Recorder(20, ROOM)) == start + 5


@pytest.mark.parametrize("key", [*PARTS, "more"])
def test_a_journal_of_any_other_run_is_refused(tmp_path: Path, key: str) -> None:
    path, recorder = tmp_path / "j", Recorder(20, ROOM)
    written(path)
    before = path.read_bytes()
    with pytest.raises(QcsError, match=f"is of another run: {key} differs; delete it or leave out --resume"):
        Journal(path, Evidence.of(PARTS | {key: "x"})).load(recorder)
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
    stated: Any = SimpleNamespace(emulator=None, info=board._info)
    who = run_evidence(vectors, board.url, image_parts(stated))
    with Journal(path, who) as journal:
        journal.append(Answer(30, wrong, 0.5, 1))
    config = HilConfig(vectors=60)
    entry = run_device(codec, Run(board.url, config, path, True) if resume else Run(board.url, config, path))
    assert entry["resumed"] == (20 if resume else 0)
    assert [first["vector"] for first in entry["mismatches"]["first"]] == (list(range(30, 50)) if resume else [])
    recorder = Recorder(60, codec.packed_bytes_max)
    assert Journal(path, who).load(recorder) == 60
    expected: Packets = vectors.expected(vectors.values())
    assert recorder.packets().differ(expected).sum() == (20 if resume else 0)


def test_a_run_s_evidence_is_all_that_decides_its_answers(codec: Codec, other_codec: Codec) -> None:
    one = run_evidence(VectorSet(codec, 20), "p", {"image": "1"})
    others = {
        "bundle": run_evidence(VectorSet(other_codec, 20), "p", {"image": "1"}),
        "vectors": run_evidence(VectorSet(codec, 21), "p", {"image": "1"}),
        "board": run_evidence(VectorSet(codec, 20), "q", {"image": "1"}),
        "image": run_evidence(VectorSet(codec, 20), "p", {"image": "2"}),
    }
    assert one == run_evidence(VectorSet(codec, 20), "p", {"image": "1"})
    assert {part: one.differing(other) for part, other in others.items()} == {part: [part] for part in others}
    for vectors in (VectorSet(codec, 20, seed=2), VectorSet(codec, 20, kind="inputs")):
        assert one.differing(run_evidence(vectors, "p", {"image": "1"})) == ["vectors"]


def board_url(device: Device) -> str:
    """Where an emulated board that nobody talks to answers."""
    assert device.emulator is not None
    device.link.close()
    return device.emulator.url


def test_the_image_of_a_board_is_what_was_built_or_what_it_states(codec: Codec, other_codec: Codec) -> None:
    """A stranger's image is not known: all of its INFO stands for it."""
    parts = {}
    for name, one in (("codec", codec), ("other", other_codec)):
        with Device.open("emu:native", one) as device:
            parts[name] = image_parts(device)
            with Device.open(board_url(device), one) as stranger:
                parts[f"stranger {name}"] = image_parts(stranger)
    assert list(parts["codec"]) == ["C core", "compiler", "flags", "image"]
    assert [key for key, text in parts["codec"].items() if parts["other"][key] != text] == ["image"]
    info = stranger.info
    assert parts["stranger other"] == {
        "image": f"not known; the board states firmware {info.firmware_version}, protocol {info.protocol}, "
        f"model {info.model_id}, INFO {info.to_payload().hex()}"
    }
    assert parts["stranger codec"] != parts["stranger other"]


@pytest.mark.parametrize(
    ("start", "change"),
    [
        (3, {}),  # over vectors that were answered
        (18, {}),  # over the end
        (5, {"lengths": np.full(5, ROOM + 1)}),
        (5, {"lengths": np.zeros(5)}),
        (5, {"seconds": float("nan")}),
        (5, {"seconds": -1.0}),
        (5, {"count": 0}),
    ],
)
def test_a_forged_record_is_refused_though_its_checksum_fits(
    tmp_path: Path, start: int, change: dict[str, Any]
) -> None:
    path, one = tmp_path / "j", answer(start, np.random.default_rng(0))
    result = one.result._replace(**{key: change[key] for key in change if key == "lengths"})
    if "count" in change:
        result = Answers(*(column[:0] for column in result))
    with Journal(path, WHO) as journal:
        journal.append(answer(0, np.random.default_rng(0)))
        journal.append(Answer(start, result, change.get("seconds", 0.5), 1))
    before, recorder = path.read_bytes(), Recorder(20, ROOM)
    with pytest.raises(QcsError, match=r"^journal '.*' holds answers that no board gives; delete it or leave out"):
        Journal(path, WHO).load(recorder)
    assert path.read_bytes() == before


def test_what_is_no_journal_is_one_line_at_once(tmp_path: Path) -> None:
    for name, path in odd_files(tmp_path):
        if name in ("missing", "empty", "name with zero"):  # no file, or one that only the head refuses
            continue
        with pytest.raises(QcsError, match=r"^journal '.*' (is|cannot be) [^\n]*$"):
            Journal(path, WHO).load(Recorder(20, ROOM))


def test_what_is_no_file_is_not_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, Path("/dev/null"), tmp_path / "fifo"):
        with (
            pytest.raises(QcsError, match=r"' is (not a regular file|a directory); choose another"),
            Journal(path, WHO),
        ):
            pass


def test_no_mutant_of_a_journal_does_more_than_cost_answers(tmp_path: Path) -> None:
    path = tmp_path / "j"
    _, wanted = written(path)
    whole = path.read_bytes()
    line, body = whole.split(b"\n", 1)
    head = json.loads(line)
    mutants = [*byte_mutants(whole, 1, 100)]
    mutants += [(name, text + b"\n" + body) for name, text in json_mutants(head, 2, 100, forge_evidence)]
    refused = []
    for name, content in mutants:
        path.write_bytes(content)
        recorder = Recorder(20, ROOM)
        try:
            Journal(path, WHO).load(recorder)
        except QcsError as error:
            refused.append(str(error))
            continue
        answered = np.flatnonzero(recorder.answered)
        assert all(same(recorder, wanted, slice(place, place + 1)) for place in answered), name
    assert 100 < len(refused) < 200
    assert not any("\n" in error for error in refused)


class Full:
    """A file on a disk with room for `left` bytes more."""

    def __init__(self, file: Any, left: int) -> None:
        self.left, self._write = left, file.write
        self.seek, self.truncate, self.close = file.seek, file.truncate, file.close

    def write(self, content: bytes) -> int:
        written = self._write(content[: self.left])
        self.left -= written
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(written)


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_disk_that_fills_up_in_mid_run_costs_the_answer_that_found_no_room(tmp_path: Path, kept: int) -> None:
    """The run ends and says so; where answers are kept, how it goes on."""
    path, rng = tmp_path / "j", np.random.default_rng(0)
    journal, go_on = Journal(path, WHO), "; answers so far are kept, .*--resume" if kept else ""

    def run() -> None:
        with journal:
            for number in range(kept):
                journal.append(answer(5 * number, rng))
            journal._file = Full(journal._file, 7)  # type: ignore[assignment]
            journal.append(answer(15, rng))

    with pytest.raises(QcsError, match=rf"^'.*/j' cannot be written: No space left on device{go_on}$"):
        run()
    assert path.exists() == bool(kept)
    size = path.stat().st_size if kept else 0
    assert Journal(path, WHO).load(Recorder(20, ROOM)) == 5 * kept
    assert size == (path.stat().st_size if kept else 0)  # no half a record to cut off


def test_a_journal_that_cannot_be_begun_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, opened = tmp_path / "deep" / "j", Path.open
    monkeypatch.setattr(Path, "open", lambda self, *how, **more: Full(opened(self, *how, **more), 7))
    with pytest.raises(QcsError, match=r"^'.*/j' cannot be written: No space left on device$"):
        Journal(path, WHO).__enter__()
    assert not path.exists()
