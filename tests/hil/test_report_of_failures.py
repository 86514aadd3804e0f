"""The page of a run in which one board failed and another one differed."""

import json
from pathlib import Path

import pytest

from qcskit.codec.bundle import read_bundle
from qcskit.hil.config import HilConfig
from qcskit.hil.fleet import run_fleet


def test_failed_boards_and_mismatches_are_on_the_page(bundle_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
    pytest.importorskip("jinja2", reason="needs the extra 'report': pip install 'qcskit[report]'")
    from qcskit.hil.report.page import render

    bundle, config = read_bundle(bundle_path), HilConfig(port=["emu:native", "/dev/ttyNONE"], vectors=300)
    run_fleet(bundle, config, out=tmp_path / "r.json", resume=False, progress=lambda *_: None)
    results = json.loads((tmp_path / "r.json").read_text())
    wrong = results["devices"][0]["mismatches"]
    wrong.update(count=2, segments=[[0, 1], [2, 1]], first=[{"vector": 7, "expected": "00", "got": "01"}])
    wrong["per_output"][3] = 2
    page = render(bundle, results, None)
    assert "it does not exist" in page
    assert "Mismatches" in page
    assert "<code>01</code>" in page
