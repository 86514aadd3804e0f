"""`qcskit hil`, `compare` and `ports` as a user calls them: exit codes, one-line errors, files."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from support.bundles import drifting_counts, sampled_bundle
from support.entries import entry, failed, results
from support.line import PretendBoard
from support.tampered import lower_first_threshold, tampered

from qcskit.cli.common import console
from qcskit.cli.hil import failure
from qcskit.codec.codecs import open_codec
from qcskit.codec.interface import Codec
from qcskit.codec.metrics import fidelity, nmse_db
from qcskit.codec.own_data import read_own_data
from qcskit.firmware.protocol.framing import Frame, encode_frame
from qcskit.firmware.protocol.messages import Answers, Counts, Type
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.evidence import image_parts, run_evidence
from qcskit.hil.fleet import journal_path
from qcskit.hil.journal import Journal
from qcskit.hil.link import start_emulated
from qcskit.hil.ports import PortFacts
from qcskit.hil.stream import Answer
from qcskit.hil.vectors import VectorSet

Qcskit = Callable[..., Any]


def test_a_run_its_files_and_a_comparison(qcskit: Qcskit, tmp_path: Path, bundle_path: Path) -> None:
    """NMSE against a calculation of its own from the same bytes; the same run again compares without regression."""
    for name in ("a", "b"):
        done = qcskit("hil", str(bundle_path), "-p", "emu:native", "-n", "1500", "-o", f"{name}.json",
                      "--junit", f"{name}.xml", "--fast-baud", "921600", "-q")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
    made = json.loads((tmp_path / "a.json").read_text())["devices"][0]
    codec = open_codec(bundle_path)
    vectors = VectorSet(codec, 1500)
    values, x = vectors.part(0, 1500)
    x_hat = codec.decode(vectors.expected(values))
    assert made["nmse"]["device_db"] == made["nmse"]["deployed_db"] == pytest.approx(nmse_db(x, x_hat), abs=1e-5)
    assert made["baud"] == 921_600
    assert made["link"]["agree"]
    suite = Xml.parse(tmp_path / "a.xml").getroot()[0]
    assert (suite.get("tests"), suite.get("failures")) == ("5", "0")
    assert qcskit("compare", "a.json", "b.json").returncode == 0
    worse = json.loads((tmp_path / "b.json").read_text())
    first = {"vector": 7, "expected": "00", "got": "01", "outputs": [1]}
    worse["devices"][0]["mismatches"] |= {"count": 1, "first": [first], "segments": [[0, 1]]}
    worse["devices"][0]["nmse"]["device_db"] += 0.2
    worse["verdict"] |= {"ok": False, "mismatches": 1, "failed": ["emu:native"]}
    (tmp_path / "b.json").write_text(json.dumps(worse))
    done = qcskit("compare", "a.json", "b.json", "--json")
    assert done.returncode == 1
    changes = {change["figure"]: change for change in json.loads(done.stdout)["changes"]}
    assert [name for name, change in changes.items() if change["regression"]] == ["mismatches", "NMSE device"]
    assert qcskit("compare", "b.json", "a.json").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("hil", "nowhere", "-p", "emu:native"), 2, "bundle 'nowhere' does not exist"),
        (("hil", "BUNDLE", "-p", "/dev/ttyNONE"), 2, "cannot open port '/dev/ttyNONE': it does not exist"),
        (("hil", "BUNDLE", "-p", "emu:cray"), 2, "cray"),
        (("hil", "BUNDLE", "-p", "emu:native", "--set", "hil.vektors=3"), 2, "did you mean 'vectors'?"),
        (("hil", "BUNDLE", "-p", "emu:native", "--input", "float"), 2, "input"),
        (("hil", "BUNDLE", "-p", "emu:native", "--soak", "soon"), 2, "expected a duration"),
        (("hil", "BUNDLE", "--bench", "none.toml"), 2, "bench 'none.toml' does not exist"),
        (("compare", "x.json", "y.json"), 2, "results 'x.json' does not exist"),
    ],
)
def test_wrong_use_gives_one_line(
    qcskit: Qcskit, bundle_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = qcskit(*(a.replace("BUNDLE", str(bundle_path)) for a in arguments))
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_soak_adds_up(qcskit: Qcskit, tmp_path: Path, bundle_path: Path) -> None:
    done = qcskit("hil", str(bundle_path), "-p", "emu:native", "--soak", "3s", "-o", "s.json", "--json")
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "s.json").read_text())
    made = written["devices"][0]
    assert written == json.loads(done.stdout)
    assert written["kind"] == "soak"
    assert made["answered"] == sum(window["vectors"] for window in made["soak"]["windows"]) > 500
    assert made["ticks"]["count"] == made["answered"]
    assert made["mismatches"]["count"] == 0
    assert made["link"]["agree"]


def test_ports_says_what_answers(qcskit: Qcskit, bundle_path: Path) -> None:
    codec = open_codec(bundle_path)
    with start_emulated("native", codec) as board:
        done = qcskit("ports", "--json", "-p", board.url)
    found = {port["device"]: port for port in json.loads(done.stdout)["ports"]}
    assert found[board.url]["info"]["model_id"] == codec.bundle.manifest.model_id


@pytest.mark.parametrize(
    ("arguments", "answers", "note", "told"),
    [
        ((), True, "restarts when opened", "{model}, restarts when opened"),
        ((), True, "", "{model}"),
        ((), False, "gone", "gone"),
        (("--no-probe",), False, "", "not asked"),
    ],
)
def test_the_table_of_ports_says_what_the_json_says(
    qcskit: Qcskit, codec: Codec, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], answers: bool,
    note: str, told: str,
) -> None:  # fmt: skip
    url = "socket://a-long-name-of-a-port-server.example:12345"
    with Device.open(PretendBoard(VectorSet(codec, 1)).url, codec) as device:
        facts = PortFacts(url, "given", info=device.info if answers else None, note=note)
    monkeypatch.setattr("qcskit.hil.ports.find_ports", lambda *asked: [facts])
    monkeypatch.setattr(console, "_width", 300)
    done = qcskit("ports", *arguments)
    words = "".join(done.stdout.replace("│", " ").split())
    assert url in words
    assert told.format(model=codec.bundle.manifest.model_id).replace(" ", "") in words


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mismatches__count": 3}, "left: 3 of 300 vectors differ from the reference"),
        ({"nmse__device_db": -11.0}, "left: NMSE is -11.0 dB, the reference's -12.0 dB"),
        ({"nmse__device_db": None}, "left: NMSE is None dB, the reference's -12.0 dB"),
        ({"link__agree": False}, "left: the board counted 36 frames, the host sent 40"),
        (
            {"saturated": 1.0},
            "left: every vector is saturated, so equal answers prove nothing; check the ADC's scale",
        ),
        ({"link__agree": False, "link__board_restarted": True}, ""),
        ({"saturated": 0.999}, ""),
        ({}, ""),
    ],
)
def test_what_fails_is_said_and_nothing_else(changes: dict[str, object], told: str) -> None:
    made = results(entry(**changes), failed("right", "gone"))
    assert failure(made, HilConfig(), Path("r.json")) == f"{told}{'; ' * bool(told)}right: gone; see r.json"
    assert made["verdict"]["failed"] == ["left"] * bool(told) + ["right"]


def test_counters_that_contradict_each_other_fail_the_run(qcskit: Qcskit, tmp_path: Path, codec: Codec) -> None:
    def reply(frame: Frame, right: bytes) -> bytes:
        lie = Counts(board.frames + 7, 0, 0, 0).to_payload()
        return encode_frame(Type.COUNTS, frame.seq, lie) if frame.type == Type.STATS else right

    board = PretendBoard(VectorSet(codec, 50), reply=reply)
    done = qcskit(
        "hil", str(codec.bundle.path), "-p", board.url, "-n", "50", "-q", "-s", "hil.timeout_s=20", "-o", "results.json"
    )
    assert done.returncode == 1
    assert "the board counted" in done.stderr
    assert "differ" not in done.stderr
    assert json.loads((tmp_path / "results.json").read_text())["verdict"]["ok"] is False


def test_a_resumed_run_without_answers_says_that_it_starts_afresh(qcskit: Qcskit, codec: Codec) -> None:
    board = PretendBoard(VectorSet(codec, 50))
    done = qcskit("hil", str(codec.bundle.path), "-p", board.url, "-n", "50", "-q", "--resume", "-o", "results.json")
    assert done.returncode == 0
    told = "nothing to resume: 'results.json.0.partial' does not exist; this run starts afresh"
    assert [line for line in done.stderr.splitlines() if line] == [told]


def test_a_damaged_c_text_is_never_resumed_as_sound(qcskit: Qcskit, tmp_path: Path, codec: Codec) -> None:
    """Answers of the sound bundle are no evidence of the damaged one, though the tables are the same."""
    name, vectors = f"c/qcs_model_{codec.name}.c", VectorSet(codec, 50)
    damaged = tampered(codec.bundle, tmp_path / "b", name, lambda text: lower_first_threshold(text.decode()).encode())
    board = PretendBoard(vectors)
    with Device.open("emu:native", codec) as device:
        built = image_parts(device)
    stated: Any = SimpleNamespace(emulator=None, info=board._info)
    for port, image in ((board.url, image_parts(stated)), ("emu:native", built)):
        answers = Answers(np.zeros((1, codec.packed_bytes_max), np.uint8), np.ones(1, int), np.zeros(1, np.uint32))
        with Journal(tmp_path / "results.json.0.partial", run_evidence(vectors, port, image)) as journal:
            journal.append(Answer(0, answers, 0.0, 1))
        done = qcskit("hil", str(damaged.path), "-p", port, "-n", "50", "--resume", "-o", "results.json")
        assert done.returncode in (1, 2)
        assert "bundle differs; delete it" in done.stderr or "is not what tables.npz gives" in done.stderr
        assert not (tmp_path / "results.json").exists()
        (tmp_path / "results.json.0.partial").unlink()


@pytest.mark.parametrize("option", ["--nmse-db", "--ticks-percent", "--rate-percent", "--round-trip-percent"])
@pytest.mark.parametrize("value", ["nan", "-1", "inf"])
def test_a_tolerance_that_is_none_is_refused(qcskit: Qcskit, tmp_path: Path, option: str, value: str) -> None:
    (tmp_path / "r.json").write_text(json.dumps(results(entry())))
    assert qcskit("compare", "r.json", "r.json", option, "1").returncode == 0
    done = qcskit("compare", "r.json", "r.json", option, value)
    assert done.returncode == 2
    assert f"{option} {value}: expected a number, 0 or larger" in done.stderr


def test_a_comparison_names_what_ran_otherwise(qcskit: Qcskit, tmp_path: Path) -> None:
    made = {"a": results(entry(), qcskit="1"), "b": results(entry(), qcskit="2"), "c": results(entry(), qcskit="1")}
    made["c"]["bundle"]["model_id"] = made["c"]["devices"][0]["model_id"] = "ff"
    for name, value in made.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    assert "not the same was run: qcskit differs" in qcskit("compare", "a.json", "b.json").stdout
    assert json.loads(qcskit("compare", "a.json", "b.json", "--json").stdout)["differing"] == ["qcskit"]
    assert "not the same" not in qcskit("compare", "a.json", "a.json").stdout
    done = qcskit("compare", "a.json", "c.json")
    assert done.returncode == 2
    assert "different models: 'b' (00112233aabbccdd) and 'b' (ff)" in done.stderr


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """Windows of 8 counts of a recording, one count one unit; a decoder."""
    return sampled_bundle(tmp_path_factory.mktemp("own") / "sampled")


def test_the_board_gets_the_user_s_own_counts(qcskit: Qcskit, tmp_path: Path, sampled: Codec) -> None:
    """All of the file and nothing else; figures in units, against those of the whole at once."""
    np.savetxt(tmp_path / "day.csv", drifting_counts(203), fmt="%d")
    hil = ("hil", str(sampled.bundle.path), "-p", "emu:native", "-o", "results.json", "--data", "day.csv")
    done = qcskit(*hil)
    assert done.returncode == 0, done.stderr
    assert "day.csv: 25 packets, 3 samples left at its end" in done.stdout
    assert "40 bits, sent in 5 bytes" in done.stdout
    read = json.loads((tmp_path / "results.json").read_text())
    made = read["devices"][0]
    x = drifting_counts(200).reshape(25, 8).astype(float)
    x_hat = sampled.decode(sampled.encode_counts(drifting_counts(200).reshape(25, 8)))
    by_hand = fidelity(x, x_hat, sampled.bundle.manifest.signal.offset)
    assert (made["vectors"], made["nmse"]["frames"], made["mismatches"]["count"]) == (25, 25, 0)
    assert made["nmse"]["device_db"] == pytest.approx(by_hand.nmse_db, abs=1e-6)
    found = made["nmse"]["fidelity"]
    assert (found["distinct"], found["largest_error"]) == (25, pytest.approx(by_hand.largest_error))
    assert (found["worst_db"], found["prd_percent"]) == pytest.approx(
        (by_hand.worst_db, by_hand.prd_percent), abs=0.006
    )
    assert (read["data"]["packets"], read["data"]["samples_left"], read["settings"]["vectors"]) == (25, 3, 25)
    for options, count in ((("--hop", "5"), 40), (("-n", "7"), 7), (("-n", "5000"), 25)):
        assert qcskit(*hil, *options, "-q").returncode == 0
        assert json.loads((tmp_path / "results.json").read_text())["devices"][0]["answered"] == count


def test_a_run_of_other_data_is_not_gone_on_with(qcskit: Qcskit, tmp_path: Path, sampled: Codec) -> None:
    for name, last in (("day.csv", 0), ("other.csv", 1)):
        counts = drifting_counts(80)
        counts[-1] += last
        np.savetxt(tmp_path / name, counts, fmt="%d")
    hil = ("hil", str(sampled.bundle.path), "-p", "emu:native", "-o", "results.json", "--resume", "-q", "--data")
    with Device.open("emu:native", sampled) as device:
        image = image_parts(device)
    data = read_own_data(sampled, tmp_path / "day.csv")
    packets = sampled.encode_counts(data.counts)
    for name, options, told in (
        ("other.csv", (), "data differs"),
        ("day.csv", ("--hop", "9"), "data differ"),
        ("day.csv", (), ""),
    ):
        vectors = VectorSet(sampled, 9 if options else 10, data=data)
        with Journal(tmp_path / "results.json.0.partial", run_evidence(vectors, "emu:native", image)) as journal:
            journal.append(Answer(0, Answers(packets.table(5)[:4], np.full(4, 5), np.ones(4, np.uint32)), 0.1, 1))
        done = qcskit(*hil, name, *options)
        assert (done.returncode, told in done.stderr) == (2 if told else 0, True), done.stderr
        (tmp_path / "results.json.0.partial").unlink(missing_ok=True)
    assert json.loads((tmp_path / "results.json").read_text())["devices"][0]["resumed"] == 4


def test_wrong_use_of_own_data(qcskit: Qcskit, tmp_path: Path, sampled: Codec) -> None:
    np.savetxt(tmp_path / "day.csv", drifting_counts(80), fmt="%d")
    before = (tmp_path / "day.csv").read_bytes()
    for options, told in (
        (("--data", "day.csv", "--soak", "1s"), "--soak draws its vectors; leave --data out"),
        (("--fill-gaps",), "--fill-gaps is about --data FILE: give both"),
        (("--data", "day.csv", "-o", "day.csv"), "would change 'day.csv'"),
        (("--data", "day.csv", "--junit", "day.csv"), "would change 'day.csv'"),
        (("--data", "night.csv"), "night.csv"),
    ):
        done = qcskit("hil", str(sampled.bundle.path), "-p", "emu:native", "-o", "results.json", *options)
        assert done.returncode == 2
        assert told in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["day.csv"]
    assert (tmp_path / "day.csv").read_bytes() == before


def test_vectors_of_a_recording_are_told_by_its_windows(qcskit: Qcskit, tmp_path: Path, sampled: Codec) -> None:
    """Never more windows than the bundle holds; without any, nothing is measured on the noise that stands in."""
    done = qcskit("hil", str(sampled.bundle.path), "-p", "emu:native", "-o", "results.json", "-n", "500")
    assert done.returncode == 0
    assert "500, drawn from 40 windows" in done.stdout
    bare = sampled_bundle(tmp_path / "bare", windows=0)
    done = qcskit("hil", str(bare.bundle.path), "-p", "emu:native", "-o", "results.json", "-n", "500")
    assert done.returncode == 0, done.stderr
    assert "windows" not in done.stdout
    nmse = json.loads((tmp_path / "results.json").read_text())["devices"][0]["nmse"]
    told = ("device_db", "deployed_db", "fidelity")
    assert [nmse[name] for name in told] == ["not measured"] * 3
    np.savetxt(tmp_path / "day.csv", drifting_counts(80), fmt="%d")
    assert (
        qcskit(
            "hil", str(bare.bundle.path), "-p", "emu:native", "-o", "results.json", "--data", "day.csv", "-q"
        ).returncode
        == 0
    )
    nmse = json.loads((tmp_path / "results.json").read_text())["devices"][0]["nmse"]
    assert nmse["device_db"] < -10


def test_a_soak_takes_one_port(qcskit: Qcskit, bundle_path: Path) -> None:
    done = qcskit("hil", str(bundle_path), "-p", "emu:native", "-p", "emu:native", "--soak", "1s")
    assert done.returncode == 2
    assert done.stderr == "error: --soak takes one --port; start one 'qcskit hil --soak' per board\n"


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_that_is_broken_off_says_whether_answers_are_kept(
    kept: bool, qcskit: Qcskit, tmp_path: Path, bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*asked: object, out: Path, **more: object) -> None:
        if kept:
            journal_path(out, 0).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("qcskit.hil.fleet.run_fleet", broken_off)
    done = qcskit("hil", str(bundle_path), "-p", "emu:native", "-q", "-o", "r.json")
    assert done.returncode == 130
    told = ["broken off; answers so far are kept, go on with --resume"] if kept else []
    assert done.stderr.splitlines() == [*told, "interrupted"]
