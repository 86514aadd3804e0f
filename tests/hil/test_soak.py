"""A soak's rounds and windows, on a board and a clock that do as they are told."""

from types import SimpleNamespace
from typing import Any

import pytest
from support.line import PretendBoard

from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame
from qcskit.firmware.protocol.messages import Type
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.soak import Soak, parse_duration, run_soak
from qcskit.hil.vectors import VectorSet


def test_rounds_add_up_in_windows_of_time(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five rounds of 30 vectors ending at 1, 1.8, 2.4, 7.8 and 8 s; 31, 89, 90 and 149 wrong; one frame lost.

    The next round is as long as takes a second, at least 20 vectors, at most four times this one.
    """
    wrong, lost = (31, 89, 90, 149), []

    def reply(frame: Frame, right: bytes) -> bytes:
        if ready and frame.type == Type.ENCODE and 95 in board.numbers(frame) and not lost:
            lost.append(frame)
            return b""
        return right

    ready = False
    vectors = VectorSet(codec, 150)
    board = PretendBoard(
        vectors, reply=reply, tick=lambda number: 7 + number,
        packet=lambda number, right: bytes([right[0] ^ 1]) + right[1:] if number in wrong else right,
    )  # fmt: skip
    with Device.open(board.url, codec, timeout_s=0.1, give_up_s=10, batch=10) as device:
        soak = Soak(device, vectors, HilConfig(vectors=150), "it", duration_s=120.0)
        ready = True
        rounds = ((1.0, 0.5, 60), (1.8, 0.25, 120), (2.4, 0.0, 120), (7.8, 3.0, 20), (8.0, 1.0, 30))
        for elapsed_s, taken_s, following in rounds:
            monkeypatch.setattr(Soak, "elapsed_s", property(lambda self, now=elapsed_s: now))
            clock = SimpleNamespace(monotonic=iter([50.0, 50.0 + taken_s]).__next__)
            monkeypatch.setattr("qcskit.hil.soak.time", clock)
            soak._round_vectors = 30
            soak.round()
            assert soak._round_vectors == following
        in_rounds = device.exchange.counts.retries
        results = soak.results()
    entry = results["devices"][0]
    windows = entry["soak"].pop("windows")
    assert entry["soak"] == {"seconds": 8.0, "rounds": 5, "window_s": 2.0}
    assert [list(window.values())[:4] for window in windows] == [
        [0, 0.0, 60, 1], [1, 2.0, 30, 1], [3, 6.0, 30, 1], [4, 8.0, 30, 1],
    ]  # fmt: skip
    retries = [window["retries"] for window in windows]
    assert retries[2] >= 1
    assert sum(retries) == in_rounds
    assert list(windows[0]) == ["window", "t_s", "vectors", "mismatches", "retries"]
    assert [first["vector"] for first in entry["mismatches"]["first"]] == list(wrong)
    assert (entry["ticks"]["min"], entry["ticks"]["max"], entry["ticks"]["count"]) == (7, 156, 150)
    assert (entry["answered"], entry["vectors"], entry["throughput"]["vectors_per_s"]) == (150, 150, 18.75)
    assert (results["kind"], results["verdict"]["ok"], results["verdict"]["mismatches"]) == ("soak", False, 4)
    assert entry["nmse"]["per_segment_db"] == []


def test_a_soak_reports_now_and_then_and_ends_when_it_is_broken_off(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was measured until then is the result, and the last report."""
    monkeypatch.setattr("qcskit.hil.soak._REPORT_S", 0.0)
    reports: list[dict[str, Any]] = []

    def progress(soak: Soak, wrong: int) -> None:
        assert wrong == 0
        if len(reports) == 2:
            raise KeyboardInterrupt

    config = HilConfig(port=["emu:native"])
    results = run_soak(codec, config, 1e6, reports.append, progress)
    rounds = [report["devices"][0]["soak"]["rounds"] for report in reports]
    assert rounds == [1, 2, 3]
    assert reports[-1] == results


@pytest.mark.parametrize(("duration_s", "window_s"), [(4.0, 1.0), (60.0, 1.0), (120.0, 2.0), (3600.0, 60.0)])
def test_there_are_about_sixty_windows(codec: Codec, duration_s: float, window_s: float) -> None:
    vectors = VectorSet(codec, 5)
    with Device.open(PretendBoard(vectors).url, codec) as device:
        assert Soak(device, vectors, HilConfig(), "it", duration_s)._window_s == window_s


@pytest.mark.parametrize("text", ["0", "-3s", "s", "", "1d", "nan", "inf", "1e9"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|could not convert"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("0.5s", 0.5)])
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
