"""The report page: complete, self-contained, and honest about what was not measured."""

import json
import re
from pathlib import Path

import pytest
from support.bundles import BUNDLES
from support.command import Made
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError

pytest.importorskip("matplotlib", reason="needs the extra 'report': pip install 'qcskit[report]'")
from qcskit.hil.report import plots
from qcskit.hil.report.page import read_json, render


def test_a_bundle_alone_gives_a_page_without_outside_references(bundle_path: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(build_app(), ["report", str(bundle_path), "-o", str(tmp_path / "r.html"), "--json"])
    assert json.loads(done.stdout) == {"report": str(tmp_path / "r.html")}
    text = (tmp_path / "r.html").read_text()
    assert text.count("<svg") == 4
    assert "no device was measured" in text
    assert not re.search(r'(src|href)="https?:', text)
    assert [file.name for file in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize("name", BUNDLES)
def test_the_page_is_reproducible(name: str, made: Made) -> None:
    codec = open_codec(made(name))
    assert render(codec, None, None) == render(codec, None, None)


def test_the_soft_curve_meets_the_staircase(bundle_path: Path) -> None:
    facts = open_codec(bundle_path).bundle.manifest.codec.model_dump()
    svg = plots.quantizer_curve(facts["thresholds"], facts["quantizer_levels"], [5, 105])
    assert svg.startswith("<svg")
    assert "soft, h = 105" in svg


def test_results_of_another_model_are_refused(bundle_path: Path, tmp_path: Path) -> None:
    file, codec = tmp_path / "results.json", open_codec(bundle_path)
    file.write_text(json.dumps({"bundle": {"model_id": "0" * 16}}))
    with pytest.raises(QcsError, match="is of model 0000000000000000"):
        read_json(file, codec, "hil")
    file.write_text("{")
    with pytest.raises(QcsError, match="not valid JSON"):
        read_json(file, codec, "hil")
    with pytest.raises(QcsError, match="does not exist"):
        read_json(tmp_path / "none.json", codec, "hil")


def test_results_and_verdict_swapped_are_refused(bundle_path: Path, tmp_path: Path) -> None:
    codec = open_codec(bundle_path)
    model_id, file = codec.bundle.manifest.model_id, tmp_path / "v.json"
    file.write_text(json.dumps({"model_id": model_id, "implementations": []}))
    with pytest.raises(QcsError, match="is not what 'qcskit hil' writes"):
        read_json(file, codec, "hil")
    file.write_text(json.dumps({"bundle": {"model_id": model_id}, "devices": []}))
    with pytest.raises(QcsError, match="is not what 'qcskit simulate' writes"):
        read_json(file, codec, "simulate")


def test_a_far_tail_does_not_flatten_the_histogram() -> None:
    edges = [*range(0, 81), 2_000_000]
    svg = plots.histogram(edges, [5] * 80 + [2], "ns", {"p50": 40})
    assert "2 more, up to 2e+06" in svg or "2 more, up to 2,000,000" in svg
    assert "more, up to" not in plots.histogram(edges[:-1], [5] * 80, "ns", {})
