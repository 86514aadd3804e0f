"""Sweeps: the grid, the table, failures, kill and resume, Dask workers."""

import fcntl
import json
import os
import signal as signals
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qcskit.codec.errors import QcsError
from qcskit.training.point import HALTED, Spec, Workers, failed
from qcskit.training.run import train_run
from qcskit.training.sweep import COLUMNS, SweepConfig, append_row, grid, read_table, run_sweep

SIGNAL = {"n": 8, "m": 4, "s": 1}
TRAIN = {"decoder_widths": (8,), "encoder_widths": (8,), "steps": 40, "warmup_steps": 5, "batch": 50,
         "test_frames": 500, "validation_frames": 200, "hard_fraction": 0.0,
        "optimizer": "adam", "weight_rate": 0.01}  # fmt: skip

CHILD = """
import json, sys
from pathlib import Path
from qcskit.training.sweep import SweepConfig, grid, run_sweep
sweep, signal, train = json.loads(sys.argv[2])
def finished(row):
    print(row["point"], flush=True)
run_sweep(grid(SweepConfig(**sweep), signal, {"train": train}), Path(sys.argv[1]), 1, None, finished)
"""


def ignore(row: dict[str, str]) -> None:
    """No progress wanted."""


def figures(folder) -> dict[str, str]:
    return {row["point"]: row["nmse_hard_db"] for row in read_table(folder / "results.csv")}


def test_the_grid_is_every_combination_once() -> None:
    sweep = SweepConfig(rates=(0.5, 1.0), variants=("deepqcs", "deepqcs-ste"), seeds=(0, 1, 1), sizes=((8, 4, 1),))
    points = grid(sweep, {}, {"train": TRAIN})
    assert len({point.id for point in points}) == len(points) == 8
    assert {(p.config.outputs, p.config.levels) for p in points} == {(4, 2), (4, 4)}
    assert {p.signal.n for p in points} == {8}
    assert [p.id for p in points] == [p.id for p in grid(sweep, {}, {"train": TRAIN})]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ({"rates": (0.3,)}, "point .'rate': 0.3. is not valid: .*nearest"),
        ({"sizes": ((8, 9, 1),)}, "m must not exceed n, got m = 9, n = 8$"),
    ],
)
def test_a_point_that_cannot_be_is_named_before_anything_runs(sweep, message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        grid(SweepConfig(**sweep), SIGNAL, {"train": TRAIN})
    assert "\n" not in str(caught.value)


def test_a_torn_row_is_passed_over_and_nothing_is_deleted(tmp_path) -> None:
    table = tmp_path / "results.csv"
    row = dict.fromkeys(COLUMNS, "x") | {"error": "two\nlines, and a comma"}
    append_row(table, row)
    with table.open("a") as stream:
        stream.write("torn,do")
    before = table.read_bytes()
    assert [r["error"] for r in read_table(table)] == ["two lines, and a comma"]
    assert table.read_bytes() == before
    append_row(table, row)
    assert table.read_bytes().startswith(before)
    assert read_table(table) == [row | {"error": "two lines, and a comma"}] * 2


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"my notes, no line end", b"\xff\xfe", b""])
def test_what_is_no_table_is_refused_and_kept(content: bytes, tmp_path) -> None:
    table = tmp_path / "results.csv"
    table.write_bytes(content)
    with pytest.raises(QcsError, match="columns differ"):
        run_sweep([], tmp_path, 1, None, ignore)
    assert table.read_bytes() == content


def test_two_sweeps_do_not_write_one_table(tmp_path) -> None:
    with (tmp_path / ".results.csv.qcskit-lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(QcsError, match=r"another run is writing '.*results\.csv'"):
            run_sweep([], tmp_path, 1, None, ignore)
    assert run_sweep([], tmp_path, 1, None, ignore) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_sweep_resumes_to_the_unbroken_figures(tmp_path) -> None:
    sweep = {"seeds": [0, 1], "rates": [0.5]}
    job = [sys.executable, "-c", CHILD, str(tmp_path / "broken"), json.dumps([sweep, SIGNAL, TRAIN])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(job, stdout=subprocess.PIPE, text=True, env=environment)
    first = child.stdout.readline().strip()
    child.send_signal(signals.SIGKILL)
    child.wait()
    assert list(figures(tmp_path / "broken")) == [first]
    points = grid(SweepConfig(**sweep), SIGNAL, {"train": TRAIN})
    ended: list[str] = []
    rows = run_sweep(points, tmp_path / "broken", 1, None, lambda row: ended.append(row["point"]))
    assert first not in ended
    assert [row["status"] for row in rows] == ["done", "done"]
    # The figure of the resumed point, trained here and unbroken.
    last = next(point for point in points if point.id != first)
    metrics = train_run(tmp_path / "whole", last.config, last.signal, lambda step, soft, hard: None)
    assert figures(tmp_path / "broken")[last.id] == f"{metrics['nmse_hard_db']:.4f}"


def test_a_disk_that_is_full_stops_the_sweep_and_keeps_what_was_done(tmp_path, monkeypatch) -> None:
    """Three points: one done; one under way, which is ended; one without room."""
    written, under_way, over = (threading.Event() for _ in range(3))
    ended = []

    class Child:
        def kill(self) -> None:
            ended.append("killed")
            over.set()

    def child(spec: Spec, threads: int, workers: Workers) -> dict[str, str]:
        number = order.index(Path(spec.path).name)
        if number == 1:
            workers.running.add(Child())
            under_way.set()
            over.wait(5)
        elif number == 2:
            assert under_way.wait(5)
            assert written.wait(5)
        return ({"status": "done"}, failed("killed"), {"status": HALTED, "error": "no room"})[number]

    points = grid(SweepConfig(seeds=(0, 1, 2)), SIGNAL, {"train": TRAIN})
    order = [point.id for point in points]
    monkeypatch.setattr("qcskit.training.sweep.run_in_child", child)
    with pytest.raises(QcsError) as caught:
        run_sweep(points, tmp_path, 2, None, lambda row: written.set())
    assert [(row["point"], row["status"]) for row in read_table(tmp_path / "results.csv")] == [(order[0], "done")]
    assert ended == ["killed"]  # while the error is still held
    assert str(caught.value) == "the sweep stopped, its finished points are kept: no room"


def test_dask_workers_run_the_points(tmp_path) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra 'sweep': pip install 'qcskit[sweep]'")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None,
                                  protocol="tcp", host="127.0.0.1") as cluster:  # fmt: skip
        assert cluster.scheduler_address.startswith("tcp://")
        rows = run_sweep(grid(SweepConfig(), SIGNAL, {"train": TRAIN}), tmp_path, 1, cluster.scheduler_address, ignore)
    assert [row["status"] for row in rows] == ["done"]


def test_no_scheduler_is_one_clear_line(tmp_path, monkeypatch) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra 'sweep': pip install 'qcskit[sweep]'")

    def refuse(*args: object, **keys: object) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(QcsError, match="no Dask scheduler answers"):
        run_sweep(grid(SweepConfig(), SIGNAL, {"train": TRAIN}), tmp_path, 1, "tcp://127.0.0.1:1", ignore)


def test_the_command_reports_a_failed_point_and_exits_with_1(tmp_path, monkeypatch) -> None:
    from qcskit.cli import build_app

    monkeypatch.chdir(tmp_path)
    keys = {**TRAIN, "decoder_widths": [8], "encoder_widths": [8], "weight_rate": 1e30, "bias_rate": 1e30}
    settings = [f"--set=train.{key}={value}" for key, value in keys.items()]
    settings += [f"--set=signal.{key}={value}" for key, value in SIGNAL.items()]
    result = CliRunner().invoke(build_app(), ["sweep", "--rate", "0.5", "--json", "--out", "s", *settings])
    assert "1 of 1 points failed" in str(result.exception)
    assert result.exception.exit_code == 1
    rows = json.loads(result.stdout)["rows"]
    assert [(row["status"], row["rate_bits"], row["steps"]) for row in rows] == [("failed", "0.5", "40")]
    assert "diverged" in rows[0]["error"]
