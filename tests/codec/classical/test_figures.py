"""The figures' plumbing: a real bundle joins by path, refusals become rows, drawings repeat byte for byte."""

from pathlib import Path

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig

ROOT = Path(__file__).parents[3]


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import _figures

    return _figures


def test_a_trained_bundle_joins_the_figure_of_its_source(figures):
    folder = [ROOT / "tests" / "data"]
    (point,) = figures.bundle_points(folder, SignalConfig(), 3_000)
    assert point.rate_bits == 1.5
    assert -13.0 < point.nmse_db < -10.0  # its manifest says -11.8
    assert figures.bundle_points(folder, SignalConfig(n=30, m=15, s=3), 100) == []
    with pytest.raises(QcsError, match="not a directory"):
        figures.bundle_points([ROOT / "nowhere"], SignalConfig(), 100)


def test_what_a_codec_refuses_is_a_row_without_a_value(figures):
    tasks = [figures.Task("ec-vq", 1 << 15, 100), figures.Task("1-bit-pv", 2, 500)]
    refused, measured = figures.classical_points(tasks, SignalConfig(), "test")
    assert refused.nmse_db is None
    assert "15 bits" in refused.note
    assert measured.nmse_db < 0
    assert measured.row(-38.8).reference == -38.8


def test_the_stated_error_is_the_spread_of_repeated_measurements(figures):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 2_000, 4))
    x_hat = x + 0.1 * rng.standard_normal(x.shape) * rng.exponential(size=(400, 2_000, 1))
    spread = np.std([nmse_db(*pair) for pair in zip(x, x_hat, strict=True)])
    stated = np.mean([figures.standard_error_db(*pair) for pair in zip(x, x_hat, strict=True)])
    assert stated == pytest.approx(spread, rel=0.1)


def test_a_target_is_judged(figures):
    row = figures.Point("ec-vq", 1.0, -16.0, target_db=-15.8).row(None)
    assert row.meets is True
    assert figures.Point("ec-vq", 1.0, -15.0, target_db=-15.8).row(None).meets is False


def test_drawings_repeat_byte_for_byte(figures, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `report`, or python3-matplotlib)")
    points = [figures.Point("a", 1.0, -3.0), figures.Point("a", 2.0, -6.0), figures.Point("b", 1.0, None)]
    first = [path.read_bytes() for path in figures.draw(tmp_path / "1", "figure", "title", points, [("floor", -9.0)])]
    again = [path.read_bytes() for path in figures.draw(tmp_path / "2", "figure", "title", points, [("floor", -9.0)])]
    assert first == again
    assert first[0].startswith(b"<?xml")
    assert first[1].startswith(b"\x89PNG")
