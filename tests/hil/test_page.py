"""The page of every kind of codec, of a run in which one board failed, and of one that differed."""

import json
from pathlib import Path

import pytest
from support.bundles import BUNDLES

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.hil.config import HilConfig
from qcskit.hil.fleet import run_fleet

pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
pytest.importorskip("jinja2", reason="needs the extra 'report': pip install 'qcskit[report]'")
from qcskit.hil.report.page import facts, read_json, render


def test_failed_boards_and_mismatches_are_on_the_page(codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native", "/dev/ttyNONE"], vectors=300)
    run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    results = read_json(tmp_path / "r.json", codec, "hil")
    wrong = results["devices"][0]["mismatches"]
    wrong.update(count=2, segments=[[0, 1], [2, 1]], first=[{"vector": 7, "expected": "00", "got": "01"}])
    wrong["per_output"] = [0, 0, 0, 2]
    page = render(codec, results, None)
    assert "it does not exist" in page
    assert "Mismatches" in page
    assert "<code>01</code>" in page


@pytest.mark.parametrize("name", BUNDLES)
def test_the_page_says_what_the_codec_says_of_itself(name: str, tmp_path: Path) -> None:
    codec = BUNDLES[name](tmp_path / "b")
    rows, page = facts(codec), render(codec, None, None)
    assert rows | codec.describe() == rows
    assert all(label in page for label in rows)
    assert ("Golden vectors" in page) == codec.decodes


def test_recovery_is_told_instead_of_nmse(tmp_path: Path) -> None:
    codec, config = BUNDLES["coded"](tmp_path / "b"), HilConfig(port=["emu:native"], vectors=100)
    results = run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    page = render(codec, results, None)
    assert "flagged 0, wrong 0" in page
    assert "NMSE device" not in page


def test_packets_of_any_length_on_the_page(toy_codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native"], vectors=100)
    results = run_fleet(toy_codec, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    page = render(toy_codec, results, {"passed": True, "implementations": [], "not_run": {"avr": "needs 9 bytes"}})
    assert "min 1, p50" in page
    assert "not run: needs 9 bytes" in page


def test_results_of_schema_1_are_refused(codec: Codec, tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    facts = {"schema_version": 1, "bundle": {"model_id": codec.bundle.manifest.model_id}, "devices": []}
    file.write_text(json.dumps(facts))
    with pytest.raises(QcsError, match="schema version 1, this qcskit reads 2; run 'qcskit hil' again"):
        read_json(file, codec, "hil")
