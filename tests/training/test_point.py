"""One point in a process of its own: its columns, and every way in which it can end."""

import os
import subprocess
import sys

import pytest

from qcskit.training.point import Spec, Workers, run_in_child, run_point

SIGNAL = {"n": 8, "m": 4, "s": 1}
ROOM = "qcskit.training.classical.sweep"
FEW = {"codec": "ce-usq-omp", "levels": 4, "train_frames": 1000, "test_frames": 200}


def spec(path, room: str = ROOM, **keys: object) -> Spec:
    return Spec(str(path / "run"), room, SIGNAL, {**FEW, **keys})


def test_a_child_gives_what_this_process_gives(tmp_path) -> None:
    here, there = run_point(spec(tmp_path)), run_in_child(spec(tmp_path), 1)
    assert here["status"] == there["status"] == "done"
    assert here["nmse_hard_db"] == there["nmse_hard_db"]


def test_what_a_user_can_mend_is_its_own_message_on_one_line(tmp_path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("irreplaceable")
    row = run_in_child(spec(tmp_path), 1)
    assert row["status"] == "failed"
    assert row["error"].endswith("exists and holds no metrics.json, so it is not replaced; choose another --out")


def test_a_crash_is_the_points_alone(tmp_path) -> None:
    row = run_in_child(spec(tmp_path, levels="many"), 1)
    assert row["status"] == "failed"
    assert row["error"].startswith("exit 1: ")
    assert "\n" not in row["error"]


@pytest.mark.parametrize("threads", [0, 3])
def test_a_child_has_the_threads_that_it_is_given_and_else_its_own(tmp_path, monkeypatch, threads: int) -> None:
    """Of TensorFlow and OpenMP; what the user set stays where nothing is given."""
    names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL")
    (tmp_path / "telling_room.py").write_text(
        f"import os\nCONFIG = dict\ndef run(*_): return {{name: os.environ.get(name) for name in {names}}}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    row = run_in_child(spec(tmp_path, "telling_room"), threads)
    assert row.pop("status") == "done", row
    assert row == dict(zip(names, ("3", "3", "3") if threads else (None, "7", "3"), strict=True))


def test_a_child_that_is_killed_is_said_to_be(tmp_path, monkeypatch) -> None:
    (tmp_path / "killed_room.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.syspath_prepend(tmp_path)
    row = run_in_child(spec(tmp_path, "killed_room"), 1)
    assert row == {"status": "failed", "error": "killed by signal 9: no message"}


def test_an_interrupted_sweep_starts_no_more(tmp_path) -> None:
    workers = Workers()
    workers.stop()
    assert run_in_child(spec(tmp_path), 1, workers)["error"] == "not started: the sweep was interrupted"


def test_a_child_ends_when_its_sweep_is_gone(tmp_path, source_env) -> None:
    (tmp_path / "slow_room.py").write_text("print('here', flush=True)\nimport time\ntime.sleep(60)\n")
    environment = {**source_env, "PYTHONPATH": os.pathsep.join([source_env["PYTHONPATH"], str(tmp_path)])}
    job = [
        sys.executable,
        "-m",
        "qcskit.training.point",
        '{"path": "", "room": "slow_room", "signal": {}, "config": {}}',
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(job, stdin=pipe, stdout=pipe, text=True, env=environment) as child:
        assert child.stdout.readline() == "here\n"
        child.stdin.close()
        assert child.wait(timeout=20) == 1
