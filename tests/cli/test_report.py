"""The report page: complete, self-contained, and honest about what was not measured."""

import json
import re
from pathlib import Path

import pytest

from qcskit.codec.bundle import read_bundle
from qcskit.codec.errors import QcsError

pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
from qcskit.hil.report import plots
from qcskit.hil.report.page import read_json, render, write_report


def test_a_bundle_alone_gives_a_page_without_outside_references(bundle_path: Path, tmp_path: Path) -> None:
    write_report(read_bundle(bundle_path), None, None, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert text.count("<svg") == 4
    assert "no device was measured" in text
    assert not re.search(r'(src|href)="https?:', text)
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]


def test_the_page_is_reproducible(bundle_path: Path) -> None:
    bundle = read_bundle(bundle_path)
    assert render(bundle, None, None) == render(bundle, None, None)


def test_the_soft_curve_meets_the_staircase(bundle_path: Path) -> None:
    m = read_bundle(bundle_path).manifest
    svg = plots.quantizer_curve(m.thresholds, m.quantizer_levels, [5, 105])
    assert svg.startswith("<svg")
    assert "soft, h = 105" in svg


def test_results_of_another_model_are_refused(bundle_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"bundle": {"model_id": "0" * 16}}))
    with pytest.raises(QcsError, match="is of model 0000000000000000"):
        read_json(file, read_bundle(bundle_path), "hil")
    file.write_text("{")
    with pytest.raises(QcsError, match="not valid JSON"):
        read_json(file, read_bundle(bundle_path), "hil")
    with pytest.raises(QcsError, match="does not exist"):
        read_json(tmp_path / "none.json", read_bundle(bundle_path), "hil")


def test_results_and_verdict_swapped_are_refused(bundle_path: Path, tmp_path: Path) -> None:
    bundle = read_bundle(bundle_path)
    file = tmp_path / "v.json"
    file.write_text(json.dumps({"model_id": bundle.manifest.model_id, "implementations": []}))
    with pytest.raises(QcsError, match="is not what 'qcskit hil' writes"):
        read_json(file, bundle, "hil")
    file.write_text(json.dumps({"bundle": {"model_id": bundle.manifest.model_id}, "devices": []}))
    with pytest.raises(QcsError, match="is not what 'qcskit simulate' writes"):
        read_json(file, bundle, "simulate")


def test_a_far_tail_does_not_flatten_the_histogram() -> None:
    edges = [*range(0, 81), 2_000_000]
    svg = plots.histogram(edges, [5] * 80 + [2], "ns", {"p50": 40})
    assert "2 more, up to 2e+06" in svg or "2 more, up to 2,000,000" in svg
    assert "more, up to" not in plots.histogram(edges[:-1], [5] * 80, "ns", {})
