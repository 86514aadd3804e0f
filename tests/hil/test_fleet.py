"""Several boards at once, boards that fail, runs that break off and go on."""

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from support.line import PretendBoard, native_firmware
from support.tampered import lower_first_threshold

from qcskit import firmware
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.hil.compare import Tolerances, compare
from qcskit.hil.config import HilConfig
from qcskit.hil.errors import LinkLostError, SilentError
from qcskit.hil.fleet import journal_path, run_fleet
from qcskit.hil.junit import junit_xml
from qcskit.hil.link import Link
from qcskit.hil.vectors import VectorSet


def silent(label: str, stage: str, done: int, total: int) -> None:
    """No progress."""


def test_a_fleet_goes_on_when_one_board_fails(codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native", "/dev/ttyNONE", "emu:native"], vectors=300)
    results = run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=silent)
    labels = [entry["label"] for entry in results["devices"]]
    assert labels == ["emu:native #1", "/dev/ttyNONE", "emu:native #3"]
    assert results["verdict"] == {"ok": False, "vectors": 600, "mismatches": 0, "failed": ["/dev/ttyNONE"]}
    (failure,) = Xml.fromstring(junit_xml(results).split("\n", 1)[1])[1].iter("failure")
    assert "does not exist" in str(failure.get("message"))
    whole = {**results, "devices": [{**results["devices"][0], "label": label} for label in labels]}
    regressions = [change for change in compare(whole, results, Tolerances()) if change.regression]
    assert [(lost.board, lost.before, lost.after) for lost in regressions] == [("/dev/ttyNONE", "answered", "failed")]
    assert not any(change.regression for change in compare(results, whole, Tolerances()))


def test_every_board_of_a_fleet_is_judged_by_its_own_answers(decoding_codec: Codec, tmp_path: Path) -> None:
    """Three boards decode side by side as one alone does; the second one's firmware holds another threshold."""
    text = decoding_codec.c_files()
    name = f"qcs_model_{decoding_codec.name}.c"
    other = firmware.c_directory({**text, name: lower_first_threshold(text[name], 40)})
    with firmware.start("native", firmware.build("native", other, decoding_codec.name)) as board:
        ports = ["emu:native", board.url, "emu:native"]
        alone, *fleet = (
            run_fleet(decoding_codec, HilConfig(port=some, vectors=600), out=tmp_path / "r.json", resume=False,
                      progress=silent)
            for some in (ports[:1], ports)
        )  # fmt: skip
    (right,), (first, second, third) = alone["devices"], fleet[0]["devices"]
    assert [entry["port"] for entry in fleet[0]["devices"]] == ports
    assert right["nmse"]["device_db"] == right["nmse"]["deployed_db"]
    assert first["nmse"] == third["nmse"] == right["nmse"]
    assert second["nmse"]["deployed_db"] == right["nmse"]["deployed_db"] != second["nmse"]["device_db"]
    assert [entry["mismatches"]["count"] > 0 for entry in (first, second, third)] == [False, True, False]
    assert (fleet[0]["verdict"]["ok"], fleet[0]["verdict"]["failed"]) == (False, [board.url])


def test_what_a_board_logs_between_its_answers_is_told_with_its_label(codec: Codec, tmp_path: Path) -> None:
    board = PretendBoard(VectorSet(codec, 20), reply=lambda frame, right: b"21 \xc2\xb0C\r\n" + right)
    told: list[tuple[str, bytes]] = []
    run_fleet(codec, HilConfig(port=[board.url], vectors=20, batch=5), out=tmp_path / "r.json", resume=False,
              progress=silent, on_text=lambda *one: told.append(one))  # fmt: skip
    assert told == [(board.url, b"21 \xc2\xb0C\r\n")] * len(board.requests)


def test_a_port_named_twice_is_refused(codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["/dev/ttyX", "/dev/ttyX"])
    with pytest.raises(QcsError, match="'/dev/ttyX' is named twice"):
        run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=silent)


def test_a_journal_of_format_1_is_not_resumed(codec: Codec, tmp_path: Path) -> None:
    config, out = HilConfig(port=["emu:native"], vectors=50), tmp_path / "r.json"
    journal_path(out, 0).write_text(json.dumps({"qcskit_journal": 1}) + "\n")
    with pytest.raises(QcsError, match=r"format 1, this qcskit goes on with 3 only; delete it or leave out --resume"):
        run_fleet(codec, config, out=out, resume=True, progress=silent)


def test_killed_in_mid_run_and_resumed(codec: Codec, tmp_path: Path) -> None:
    """kill -9 of the emulator, then --resume: complete, nothing twice, the journal gone."""
    elf = native_firmware(codec)
    config = HilConfig(port=["place"], vectors=40_000, batch=10)
    out = tmp_path / "results.json"

    def run(resume: bool, kill: bool) -> dict[str, Any]:
        with firmware.start("native", elf) as board:
            link = tmp_path / "port"
            link.unlink(missing_ok=True)
            link.symlink_to(board.url)
            ours = config.model_copy(update={"port": [str(link)], "reconnect_s": 0.2})

            def progress(label: str, stage: str, done: int, total: int) -> None:
                if kill and stage == "run" and done > 9000:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(board.pid, signal.SIGKILL)

            return run_fleet(codec, ours, out=out, resume=resume, progress=progress)

    with pytest.raises((LinkLostError, SilentError), match="go on with --resume"):
        run(resume=False, kill=True)
    assert not out.exists()
    assert list(tmp_path.glob("*.partial"))
    results = run(resume=True, kill=False)["devices"][0]
    assert results["answered"] == 40_000
    assert 9000 <= results["resumed"] < 40_000
    assert results["throughput"]["vectors"] == 40_000 - results["resumed"]
    assert results["mismatches"]["count"] == 0
    assert not list(tmp_path.glob("*.partial"))


def test_the_device_node_vanishes_and_returns(codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The board is pulled (process killed, its pty gone) and comes back under the same name: the run just goes on."""
    elf = native_firmware(codec)
    port, boards = tmp_path / "port", [firmware.start("native", elf)]
    port.symlink_to(boards[0].url)

    def progress(label: str, stage: str, done: int, total: int) -> None:
        if stage == "run" and done > 3000 and port.is_symlink() and len(boards) == 1:
            port.unlink()
            os.kill(boards[0].pid, signal.SIGKILL)

    wait_back = Link.wait_back

    def plug_and_wait(link: Link, patience_s: float) -> None:
        with pytest.raises(LinkLostError):
            wait_back(link, 0.0)
        boards.append(firmware.start("native", elf))
        port.symlink_to(boards[1].url)
        wait_back(link, patience_s)

    monkeypatch.setattr(Link, "wait_back", plug_and_wait)

    config = HilConfig(port=[str(port)], vectors=60_000, batch=5, reconnect_s=20)
    try:
        results = run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=progress)
    finally:
        for board in boards:
            board.stop()
    entry = results["devices"][0]
    assert (entry["answered"], entry["resumed"], entry["mismatches"]["count"]) == (60_000, 0, 0)
    assert entry["link"]["host"]["reconnects"] == 1
    assert entry["link"]["board_restarted"]
