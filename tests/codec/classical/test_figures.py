"""The figures' plumbing: a real bundle joins by path, refusals become rows, drawings repeat byte for byte."""

import importlib
import json
from dataclasses import asdict, replace
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
    manifest = json.loads((folder[0] / "bundle" / "manifest.json").read_text())
    assert point.nmse_db == pytest.approx(manifest["nmse"]["deployed_db"], abs=0.5)
    assert figures.bundle_points(folder, SignalConfig(n=30, m=15, s=3), 100) == []
    with pytest.raises(QcsError, match="not a directory"):
        figures.bundle_points([ROOT / "nowhere"], SignalConfig(), 100)


def test_what_a_codec_refuses_is_a_row_without_a_value(figures):
    tasks = [figures.Task("ec-vq", 1 << 15, 100), figures.Task("1-bit-pv", 2, 500)]
    done = []
    refused, measured = figures.classical_points(tasks, SignalConfig(), "test", {}, done.append)
    assert done == [refused, measured]
    assert refused.nmse_db is None
    assert "15 bits" in refused.note
    assert measured.nmse_db < 0
    assert measured.row(-38.8).reference == -38.8


def test_points_of_an_earlier_run_are_not_measured_again(figures, tmp_path):
    tasks = [figures.Task("1-bit-pv", 2, 500, label="signs"), figures.Task("ce-usq-omp", 4, 500)]
    first = figures.classical_points(tasks, SignalConfig(), "test", {}, lambda point: None)
    (tmp_path / "figure.json").write_text(json.dumps({"curves": [asdict(point) for point in first]}))
    known = figures.read_points([tmp_path / "figure.json"])
    renamed = [replace(tasks[0], label="signs alone"), tasks[1], figures.Task("ce-usq-omp", 8, 500)]
    done = []
    again = figures.classical_points(renamed, SignalConfig(), "test", known, done.append)
    assert again[:2] == [replace(first[0], curve="signs alone"), first[1]]
    assert done == [again[2]]
    # Another source, seed of the matrix or number of frames is another point.
    other = SignalConfig(matrix="gaussian", matrix_seed=1)
    assert not {task.key(other) for task in tasks} & set(known)
    assert replace(tasks[1], frames=600).key(SignalConfig()) not in known
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(QcsError, match=r"broken.json' is not a JSON file of this benchmark"):
        figures.read_points([tmp_path / "broken.json"])


COLUMNS = ("point", "status", "variant", "recipe", "n", "m", "s", "outputs", "levels", "rate_bits", "seed", "steps",
           "nmse_hard_db", "best_step", "seconds", "error")  # fmt: skip
ROWS = """
a,done,deepqcs,fast,20,10,2,10,8,1.5,0,12000,-16.0,12000,60,
b,done,deepqcs,fast,20,10,2,10,8,1.5,1,12000,-17.0,12000,60,
c,failed,deepqcs,fast,20,10,2,10,64,3,0,12000,,,,killed
d,done,ce-usq-l1,,20,10,2,10,4,1,0,,-7.2,,2,
e,done,deepqcs,fast,20,10,2,10,4,1,0,12000,-12.0,12000,60,
h,done,deepqcs-q,fast,20,10,2,10,64,3,0,12000,-27.0,12000,60,
f,done,deepqcs,fast,30,15,3,15,4,1,0,12000,-12.0,12000,60,
g,done,deepqcs,fa"""


def test_a_folder_of_a_sweep_joins_the_figure(figures, tmp_path):
    import _sweeps

    (tmp_path / "results.csv").write_text(",".join(COLUMNS) + ROWS)
    run = tmp_path / "runs" / "e"
    run.mkdir(parents=True)
    # Point e has the sizes of the figure but another noise.
    (run / "metrics.json").write_text(json.dumps({"signal": {"n": 20, "m": 10, "s": 2, "noise_variance": 0.1}}))
    points = _sweeps.sweep_points([str(tmp_path)], SignalConfig(), "3")
    assert [(p.curve, p.rate_bits) for p in points] == [("ce-usq-l1", 1.0), ("deepqcs", 1.5), ("deepqcs", 3.0)]
    assert points[1].nmse_db == pytest.approx(10 * np.log10((10**-1.6 + 10**-1.7) / 2))
    assert "2 seeds" in points[1].note
    (named,) = _sweeps.sweep_points([f"wide={tmp_path}"], SignalConfig(n=30, m=15, s=3), "4b")
    assert named.curve == "deepqcs, K = 15, wide"
    assert (tmp_path / "results.csv").read_text().endswith("deepqcs,fa")  # a sweep in progress is left alone
    with pytest.raises(QcsError, match="holds no results"):
        _sweeps.sweep_points([str(tmp_path / "runs")], SignalConfig(), "3")


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


@pytest.mark.parametrize("name", ["classical", "rate_distortion", "running_time"])
def test_every_benchmark_of_the_figures_can_be_imported(figures, name):
    assert importlib.import_module(name).__doc__.splitlines()[0].endswith(".")
