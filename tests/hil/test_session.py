"""Whole runs: every byte of the board is the reference's, of every kind of codec and input."""

from pathlib import Path

import pytest
from support.bundles import BUNDLES

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware import find_board
from qcskit.hil.config import HilConfig
from qcskit.hil.fleet import run_fleet
from qcskit.hil.session import Run, results_of, run_device


def silent(label: str, stage: str, done: int, total: int) -> None:
    """No progress."""


def test_every_byte_of_the_board_is_the_reference_s(codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native"], vectors=3000)
    results = run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=silent)
    board = results["devices"][0]
    assert results["verdict"] == {"ok": True, "vectors": 3000, "mismatches": 0, "failed": []}
    assert board["link"]["agree"]
    assert board["ticks"]["count"] == board["answered"] == board["packet_bytes"]["count"] == 3000
    assert (tmp_path / "r.json").is_file()
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("name", BUNDLES)
def test_codecs_of_every_kind_run_alike(name: str, tmp_path: Path) -> None:
    codec = BUNDLES[name](tmp_path / "b")
    for kind in ("counts", "inputs") if codec.takes_inputs else ("counts",):
        entry = run_device(codec, Run("emu:native", HilConfig(vectors=500, input=kind)))  # type: ignore[arg-type]
        assert (entry["answered"], entry["mismatches"]["count"]) == (500, 0)


def test_boards_agree_and_decode_to_the_same_nmse(decoding_codec: Codec) -> None:
    config = HilConfig(vectors=100, give_up_s=200)  # emulators on a busy machine
    ports = ["emu:native", *(f"emu:{name}" for name in ("cortex-m4", "avr") if not find_board(name).missing)]
    for port in ports:
        entry = run_device(decoding_codec, Run(port, config))
        assert entry["mismatches"]["count"] == 0
        assert entry["nmse"]["device_db"] == entry["nmse"]["deployed_db"] < -6
        assert results_of(decoding_codec, config, [entry])["verdict"]["ok"]


def test_packets_of_two_windows_and_any_length(toy_codec: Codec) -> None:
    entry = run_device(toy_codec, Run("emu:native", HilConfig(vectors=400, nj_per_bit=1.0)))
    sizes = entry["packet_bytes"]
    assert entry["mismatches"]["count"] == 0
    assert entry["nmse"]["frames"] == 2 * entry["answered"] == 800
    assert entry["nmse"]["device_db"] == entry["nmse"]["deployed_db"] < -20
    assert sizes["min"] < sizes["mean"] < sizes["max"] <= toy_codec.packed_bytes_max
    assert entry["energy"]["radio_uj"] == pytest.approx(8 * sizes["mean"] / 1000, abs=1e-5)


def test_inputs_of_a_codec_that_takes_counts_only_are_refused_at_once(decoding_codec: Codec) -> None:
    with pytest.raises(QcsError, match="takes ADC counts, not network inputs"):
        run_device(decoding_codec, Run("/dev/ttyNONE", HilConfig(vectors=10, input="inputs")))
