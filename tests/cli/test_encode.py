"""`qcskit encode`: every format back through `decode`, in units; what is ambiguous; the bytes that a board sends."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import toy
from support.bundles import drifting_counts, sampled_bundle
from support.command import Run, refused
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.encode import file_format, own_data
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.codec.sensor import AdcConfig
from qcskit.hil import Device

Called = Callable[..., bytes]


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """Windows of 8 counts, one count one unit; a decoder."""
    return sampled_bundle(tmp_path_factory.mktemp("encode") / "sampled")


@pytest.fixture(scope="module")
def millivolts(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """The same, in front of it a converter of half a millivolt a count that reads 100 at 0."""
    adc = AdcConfig(units_per_count=0.5, offset_counts=100, unit="mV")
    return sampled_bundle(tmp_path_factory.mktemp("encode") / "mv", adc=adc, recording_in="counts")


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Called:
    """The command in this process and a folder that holds counts.csv; returns stdout, raises what it raises."""
    monkeypatch.chdir(tmp_path)
    write("counts.csv", drifting_counts(203))

    def call(*words: object) -> bytes:
        done = CliRunner().invoke(build_app(), list(map(str, words)), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout_bytes

    return call


def write(name: str, values: Any, head: str = "") -> None:
    Path(name).write_text(head + "".join(f"{value}\n" for value in values))


def expected(codec: Codec, hop: int = 8) -> Any:
    """The packets of counts.csv: 203 samples, all once."""
    windows = np.lib.stride_tricks.sliding_window_view(drifting_counts(203), 8)[::hop]
    return codec.encode_counts(windows)


@pytest.mark.parametrize("name", ["p.bin", "p.hex", "p.txt", "p.csv", "p.npz"])
def test_every_format_comes_back_in_units(name: str, sampled: Codec, called: Called) -> None:
    bundle, packets = sampled.bundle.path, expected(sampled)
    called("encode", bundle, "counts.csv", "-o", name)
    called("decode", bundle, name, "-o", "back.npy")
    back = np.load("back.npy")
    assert np.array_equal(back, sampled.decode(packets))
    assert np.abs(back.ravel() - drifting_counts(200)).max() < 0.05 * np.ptp(drifting_counts())


def test_a_c_array_holds_the_packets(sampled: Codec, called: Called) -> None:
    called("encode", sampled.bundle.path, "counts.csv", "-o", "p.h")
    text = Path("p.h").read_text()
    assert "/* 25 packets of model sampled" in text
    table = re.search(r"qcs_sampled_packets\[(\d+)\] = \{([^}]*)\}", text)
    assert table is not None
    values = [int(word) for word in table[2].split(",") if word.strip()]
    assert values == expected(sampled).bytes.tolist()
    assert len(values) == int(table[1])


def test_stdout_is_hex_unless_told_otherwise(sampled: Codec, called: Called) -> None:
    told = called("encode", sampled.bundle.path, "counts.csv", "-q")
    assert told.decode().split() == [packet.hex() for packet in expected(sampled)]
    assert called("encode", sampled.bundle.path, "counts.csv", "--as", "bin", "-q") == expected(sampled).bytes.tobytes()


@pytest.fixture
def toy_codec(tmp_path: Path) -> Iterator[Codec]:
    with toy.registered():
        yield toy.toy_bundle(tmp_path / "toy")


@pytest.mark.parametrize("name", ["p.bin", "p.hex", "p.csv", "p.npz"])
def test_packets_of_any_length_come_back(name: str, toy_codec: Codec, called: Called) -> None:
    rng = np.random.default_rng(2)
    rows = (rng.integers(-40, 40, (30, toy_codec.inputs)) * rng.integers(1, 30, (30, 1))).astype(np.int16)
    packets = toy_codec.encode_counts(rows)
    assert packets.lengths.min() < packets.lengths.max()
    np.save("rows.npy", rows)
    called("encode", toy_codec.bundle.path, "rows.npy", "--in", "counts", "-o", name)
    called("decode", toy_codec.bundle.path, name, "-o", "back.npy")
    assert np.array_equal(np.load("back.npy"), toy_codec.decode(packets))


def test_the_board_sends_the_same_bytes(sampled: Codec, called: Called) -> None:
    with Device.open("emu:native", sampled) as board:
        packets, _ = board.encode(drifting_counts(200).reshape(-1, 8))
    assert called("encode", sampled.bundle.path, "counts.csv", "--as", "bin", "-q") == packets.bytes.tobytes()


def test_counts_and_units_are_asked_for_where_both_are_possible(
    millivolts: Codec, called: Called, run: Run, tmp_path: Path
) -> None:
    bundle, counts = millivolts.bundle.path, drifting_counts(200)
    write("whole.csv", counts)
    refused(run("encode", str(bundle), "whole.csv", "-o", "p.hex"), "a count is 0.5 mV: give --in counts or --in units")
    assert not (tmp_path / "p.hex").exists()
    of_counts = called("encode", bundle, "whole.csv", "--in", "counts", "-q").decode().split()
    assert of_counts == [packet.hex() for packet in millivolts.encode_counts(counts.reshape(-1, 8))]
    write("units.csv", (counts - 100.0) * 0.5)
    for options in ((), ("--in", "units")):
        assert called("encode", bundle, "units.csv", *options, "-q").decode().split() == of_counts
    assert called("encode", bundle, "whole.csv", "--in", "units", "-q").decode().split() != of_counts
    with pytest.raises(QcsError, match=r"'units.csv' holds numbers that are no ADC counts .*; give --in units"):
        called("encode", bundle, "units.csv", "--in", "counts")


def test_gaps_are_refused_or_filled(sampled: Codec, called: Called) -> None:
    samples = list(map(str, drifting_counts(203)))
    middle = (int(samples[10]) + int(samples[12])) / 2
    whole = [*samples[:11], str(round(middle)), *samples[12:]]
    samples[11] = "nan"
    write("gap.csv", samples)
    with pytest.raises(QcsError, match=r"'gap\.csv'.*line 12"):
        called("encode", sampled.bundle.path, "gap.csv")
    write("whole.csv", whole)
    filled = called("encode", sampled.bundle.path, "gap.csv", "--fill-gaps", "--in", "units", "-q")
    assert filled == called("encode", sampled.bundle.path, "whole.csv", "-q")


def test_hop_column_and_what_is_left(sampled: Codec, called: Called) -> None:
    bundle = sampled.bundle.path
    write("two.csv", [f"{number},{count}" for number, count in enumerate(drifting_counts(203))], "time,counts\n")
    for hop in (3, 8, 11):
        done = json.loads(
            called("encode", bundle, "two.csv", "--column", "counts", "--hop", hop, "--json", "-o", "p.bin")
        )
        packets = expected(sampled, hop)
        assert Path("p.bin").read_bytes() == packets.bytes.tobytes()
        left = 203 - 8 - hop * (len(packets) - 1)
        assert (done["packets"], done["bytes"], done["samples_left"]) == (len(packets), len(packets.bytes), left)


def test_what_was_clipped_is_said_beside_the_json_too(
    sampled: Codec, called: Called, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savetxt("loud.csv", np.r_[np.full(8, 32767), drifting_counts(72)], fmt="%d")
    np.savetxt("soft.csv", drifting_counts(80), fmt="%d")
    for file, told in (("loud.csv", "attention: 10.00% of the counts were clipped"), ("soft.csv", "")):
        done = CliRunner().invoke(build_app(), ["encode", str(sampled.bundle.path), file, "-o", "p.bin", "--json"])
        assert done.exit_code == 0
        assert told in done.stderr
        assert bool(told) == bool(done.stderr)


def test_the_clipped_share_is_that_of_the_counts(sampled: Codec, called: Called) -> None:
    samples = drifting_counts(200)
    samples[:30] = 32767
    write("loud.csv", samples)
    assert json.loads(called("encode", sampled.bundle.path, "loud.csv", "-o", "p.bin", "--json"))["clipped"] == 30 / 200


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("counts.csv", "-o", "counts.csv"), "'counts.csv' would change 'counts.csv'"),
        (("counts.csv", "-o", "BUNDLE/p.bin"), "p.bin"),
        (("counts.csv", "--as", "hexx"), "--as hexx: unknown format; did you mean 'hex'?"),
        (("counts.csv", "--in", "count"), "--in count: did you mean 'counts'?"),
        (("counts.csv", "--json"), "--json needs --out FILE"),
        (("short.csv",), "'short.csv' has 7 samples, a packet needs 8"),
        (("none.csv",), "none.csv"),
        (("counts.csv", "-o", "p.docx"), "'p.docx': no format has that suffix; known: .bin, .hex"),
    ],
)  # fmt: skip
def test_wrong_use_writes_nothing(words: tuple[str, ...], told: str, sampled: Codec, called: Called) -> None:
    write("short.csv", range(7))
    before = {file: file.read_bytes() for file in Path().iterdir()}
    with pytest.raises(QcsError, match=re.escape(told)):
        called("encode", sampled.bundle.path, *(word.replace("BUNDLE", str(sampled.bundle.path)) for word in words))
    assert {file: file.read_bytes() for file in Path().iterdir()} == before
    assert not (sampled.bundle.path / "p.bin").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("v", "auto", None, False), "--column is about --data FILE: give both"),
        (("", "units", None, False), "--in is about --data FILE: give both"),
        (("", "auto", 3, False), "--hop is about --data FILE: give both"),
        (("", "auto", None, True), "--fill-gaps is about --data FILE: give both"),
        (("v", "units", 3, True), "--column is about --data FILE: give both"),
    ],
)
def test_options_about_data_need_data(options: tuple[str, str, int | None, bool], told: str) -> None:
    with pytest.raises(QcsError, match=f"^{told}$"):
        own_data(None, None, *options)
    assert own_data(None, None, "", "auto", None, False) is None


def test_every_option_about_data_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr("qcskit.codec.own_data.read_own_data", lambda *given: asked.append(given))
    for fill, gaps in ((False, "refuse"), (True, "interpolate")):
        own_data("codec", Path("x"), "v", "units", 3, fill)
        assert asked.pop() == ("codec", Path("x"), "v", "units", 3, gaps)
    with pytest.raises(QcsError, match=r"^--in count: did you mean 'counts'\?$"):
        own_data("codec", Path("x"), "", "count", None, False)


@pytest.mark.parametrize(
    ("wanted", "name", "found"),
    [(None, "-", "hex"), (None, "x", "hex"), (None, "x.B", "b"), ("b", "x.a", "b"), (None, "folder.odd", "hex")],
)
def test_the_format_is_what_the_option_says_else_the_suffix_else_the_default(
    wanted: str | None, name: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.odd").mkdir()
    known = {".a": "a", ".b": "b"}
    assert file_format(wanted, "--as", name, known, "hex") == found
    with pytest.raises(QcsError, match=r"^'x\.odd': no format has that suffix; known: \.a, \.b; or give --as$"):
        file_format(None, "--as", "x.odd", known, "hex")
    with pytest.raises(QcsError, match=r"^--as c: unknown format; known: a, b$"):
        file_format("c", "--as", name, known, "hex")
