"""The figures' plumbing: a real bundle joins by path, refusals become rows, drawings repeat byte for byte."""

import importlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig
from qcskit.training.config import TrainConfig

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
    older = json.loads((tmp_path / "figure.json").read_text())
    for point in older["curves"]:  # of before [signal] had that key
        point["key"] = point["key"].replace('"recording_gaps": "refuse", ', "")
    (tmp_path / "older.json").write_text(json.dumps(older))
    assert figures.read_points([tmp_path / "older.json"]) == known != {}
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
h,done,hard-surrogate,fast,20,10,2,10,64,3,0,12000,-27.0,12000,60,
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
    assert [(p.curve, p.rate_bits) for p in points] == [
        ("ce-usq-l1", 1.0), ("default variant", 1.5), ("default variant", 3.0)]  # fmt: skip
    assert points[1].nmse_db == pytest.approx(10 * np.log10((10**-1.6 + 10**-1.7) / 2))
    assert "2 seeds" in points[1].note
    (named,) = _sweeps.sweep_points([f"wide={tmp_path}"], SignalConfig(n=30, m=15, s=3), "4b")
    assert named.curve == "deepqcs, K = 15, wide"
    assert (tmp_path / "results.csv").read_text().endswith("deepqcs,fa")  # a sweep in progress is left alone
    with pytest.raises(QcsError, match="holds no results"):
        _sweeps.sweep_points([str(tmp_path / "runs")], SignalConfig(), "3")


def test_a_curve_of_the_kit_s_default_stays_one_for_each_k(figures, tmp_path):
    """At R = 1 the kit chose another variant for K = 10 than for K = 15."""
    import _sweeps

    rows = ("a,done,deepqcs,fast,30,15,3,10,4,0.666667,0,12000,-6.9,1,1,",
            "b,done,hard-surrogate,fast,30,15,3,10,8,1,0,12000,-10.1,1,1,",
            "c,done,deepqcs,fast,30,15,3,15,4,1,0,12000,-10.3,1,1,")  # fmt: skip
    (tmp_path / "results.csv").write_text("\n".join((",".join(COLUMNS), *rows, "")))
    points = _sweeps.sweep_points([str(tmp_path)], SignalConfig(n=30, m=15, s=3), "4b")
    assert [(p.curve, p.rate_bits) for p in points] == [
        ("default variant, K = 10", 0.666667), ("default variant, K = 10", 1.0), ("default variant, K = 15", 1.0)
    ]  # fmt: skip


def test_a_fresh_point_leaves_the_rates_of_its_curve_that_were_trained_alike(figures):
    import rate_distortion

    def point(curve, rate, steps, nmse_db=-1.0):
        return figures.Point(curve, rate, nmse_db, 1.0, "", runs=[{"recipe": "paper", "most_steps": steps}])

    known = [point("a", 1.0, 10), point("a", 2.0, 10), point("a", 3.0, 99), point("b", 1.0, 99)]
    kept = rate_distortion.still_valid(known, [point("a", 1.0, 10, -2.0)])
    assert [(p.curve, p.rate_bits) for p in kept] == [("a", 2.0), ("b", 1.0)]


def test_a_trained_point_keeps_budget_seed_wall_time_and_validation_curve(figures, tmp_path):
    import _sweeps

    key = figures.key_of(SignalConfig())
    steps = [250.0 * (i + 1) for i in range(400)]
    curve = {"step": steps, "hard_db": [-i / 7 for i in range(400)], "soft_db": [0.0] * 400}
    train = {"recipe": "paper", "variant": "deepqcs", "seed": 3, "batch": 100, "length": 0.1, "patience": 9,
             "steps": 2_000_000}  # fmt: skip
    run = {"signal": {"n": 20, "m": 10, "s": 2}, "train": train, "history": curve, "best_step": 99_000,
           "train_seconds": 61.5, "device": "GPU", "nmse_hard_db": -16.0, "test_frames": 300_000}  # fmt: skip
    (tmp_path / "results.csv").write_text(",".join(COLUMNS) + "\n" + ROWS.strip().splitlines()[0] + "\n")
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(run))
    (point,) = _sweeps.sweep_points([str(tmp_path)], SignalConfig(), "3")
    (kept,) = point.runs
    assert "100000 steps" in point.note  # those that were made: 200,000 were allowed
    assert (kept["steps"], kept["most_steps"], kept["ended"]) == (100_000, 200_000, "validation stopped falling")
    assert (kept["seed"], kept["seconds"], kept["device"], kept["best_step"]) == (3, 61.5, "GPU", 99_000)
    assert kept["validation_step"][-1] == 100_000
    said = "recipe paper: 100,000 steps of at most 200,000, 1 of 1 ended early"
    assert _sweeps.caption([point, figures.Point("ec-vq", 1.0, -3.0)]) == said
    reached = dict(zip(steps, curve["hard_db"], strict=True))
    assert kept["validation_db"] == [round(reached[step], 3) for step in kept["validation_step"]]
    (tmp_path / "figure.json").write_text(json.dumps({"curves": [asdict(replace(point, key=key))]}))
    assert figures.read_points([tmp_path / "figure.json"])[key].runs == [kept]
    (tmp_path / "figure.json").write_text(json.dumps({"curves": [asdict(point)]}))
    assert list(figures.read_points([tmp_path / "figure.json"]).values()) == [point]  # trained: no key, not lost


def test_the_papers_recipe_trains_the_papers_methods_and_networks(figures):
    import _deepqcs

    curves = {figure: _deepqcs.curves(figure, False, {"recipe": "paper"}) for figure in figures.SOURCES}
    assert {c.train["variant"] for c in curves["3"]} == {*_deepqcs.VARIANTS, "ce-decnet"}
    lengths = {rate: c.train["length"] for c in curves["3"] for rate in c.sweep["rates"]}
    assert {rate for rate, length in lengths.items() if length == 1} == {1, 1.5, 2}
    assert {length for length in lengths.values() if length != 1} == {0.1}
    assert {c.train["outputs"] for c in curves["4b"][:-1]} == {10, 15, 20}
    # Figure 5: N = 7, M = 4, S = 1, e_2 = e_3 = 5K, d_2 = d_3 = d_4 = 5N, alpha = 10^-3, beta = 10^-6, I = 2.
    *one_bit, scalar = curves["5"]
    for curve in one_bit:
        config = TrainConfig(**curve.train)
        assert config.encoder_widths == (5 * config.outputs, 5 * config.outputs)
        assert (config.decoder_hidden, config.decoder_factor, config.levels) == (3, 5, 2)
        assert (config.steepness_slope, config.mix_slope, config.recipe) == (1e-3, 1e-6, "paper")
        assert SignalConfig(**curve.signal) == figures.SOURCES["5"]
    assert [c.train["outputs"] for c in one_bit] == list(range(4, 15))
    assert scalar.train["variant"] == "ce-decnet"
    assert all(SignalConfig(**c.signal) == figures.SOURCES[f] for f in figures.SOURCES for c in curves[f])


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


def test_the_legend_of_many_curves_is_in_the_picture(figures, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `report`, or python3-matplotlib)")
    points = [figures.Point(f"curve {number}", 1.0, -3.0) for number in range(40)]
    text = figures.draw(tmp_path, "figure", "title", points)[0].read_text()
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups())
    labels = re.findall(r"<!-- curve \d+ -->\s*<g [^>]*translate\(([\d.]+) ([\d.]+)\)", text)
    assert len(labels) == 40
    assert all(0 < float(x) < width and 0 < float(y) < height for x, y in labels)


@pytest.mark.parametrize("name", ["classical", "rate_distortion", "running_time"])
def test_every_benchmark_of_the_figures_can_be_imported(figures, name):
    assert importlib.import_module(name).__doc__.splitlines()[0].endswith(".")
