"""`qcskit simulate` as a run: every implementation on every set, processes, resuming, interrupts, exit codes."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.tampered import lower_first_threshold, tampered, with_other_c
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.interface import Codec
from qcskit.codec.learned import tflm
from qcskit.firmware_sim import SimulateConfig, simulate
from qcskit.firmware_sim.verdict import read_verdict


def test_every_implementation_agrees_on_every_set(codec: Codec, tmp_path: Path) -> None:
    out = tmp_path / "verdict.json"
    seen = []
    config = SimulateConfig(vectors=25_000, oracle_vectors=5_000, reported_vectors=1_000)
    verdict = simulate(codec.bundle, config, out=out, progress=lambda done, total: seen.append((done, total)))
    assert verdict.passed
    assert verdict.complete
    assert verdict.sets == {
        "golden": 32, "golden inputs": 32, "source": 10_000, "uniform": 3_750, "corners": 2_500, "edges": 5_000,
        "inputs": 3_750,
    }  # fmt: skip
    tallies = {tally.name: tally for tally in verdict.implementations}
    assert [tallies[n].vectors for n in ("numpy", "c-host", "tflm", "litert")] == [25_064, 25_064, 5_064, 1_064]
    assert all(tallies[n].mismatches == 0 for n in ("c-host", "c-block", "tflm", "golden file"))
    assert verdict.counts is not None
    assert verdict.counts.counts == 65_536
    assert seen[-1] == (25_000, 25_000)
    assert read_verdict(out) == verdict


def test_command_line_exit_codes_and_json(codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner().invoke
    app = build_app()
    out = tmp_path / "v.json"
    good = run(app, ["simulate", str(codec.bundle.path), "-n", "1000", "--out", str(out), "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["passed"] is True
    assert out.is_file()
    wrong = tampered(
        codec.bundle,
        tmp_path / "b",
        "manifest.json",
        lambda m: m["codec"]["thresholds"].__setitem__(3, 0.99 * m["codec"]["thresholds"][4]),
    )
    bad = run(app, ["simulate", str(wrong.path), "-n", "1000", "--out", str(out)])
    assert isinstance(bad.exception, CheckFailedError)
    assert bad.exception.exit_code == 1
    assert "of all ADC counts NumPy differs from the definition" in str(bad.exception)
    uneven = tampered(codec.bundle, tmp_path / "c", "manifest.json", lambda m: m["codec"]["thresholds"].append(0.99))
    assert "8 thresholds" in str(run(app, ["simulate", str(uneven.path)]).exception)
    missing = run(app, ["simulate", str(tmp_path / "none")])
    assert isinstance(missing.exception, QcsError)
    assert missing.exception.exit_code == 2
    with_other_c(codec, lambda text: lower_first_threshold(text, 500), monkeypatch)
    other = run(app, ["simulate", str(codec.bundle.path), "-n", "20000", "--out", str(out)])
    assert re.search("of all ADC counts NumPy differs from .* C", str(other.exception))
    unknown = run(app, ["simulate", str(codec.bundle.path), "--set", "simulate.vectros=3"])
    assert "did you mean 'vectors'?" in str(unknown.exception)


def test_processes_and_resuming_change_nothing(codec: Codec, tmp_path: Path) -> None:
    config = SimulateConfig(vectors=40_000, oracle_vectors=2_000, reported_vectors=0)
    whole = simulate(codec.bundle, config)
    parallel = simulate(codec.bundle, config.model_copy(update={"processes": 2}))

    def stop(done: int, total: int) -> None:
        if done >= 20_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(codec.bundle, config, out=tmp_path / "v.json", progress=stop)
    half = read_verdict(tmp_path / "v.json")
    assert not half.complete
    assert len(half.chunks_done) == 3
    resumed = simulate(codec.bundle, config, resume=half)
    for other in (parallel, resumed):
        assert other.complete
        assert other.sets == whole.sets
        counts = [[(t.name, t.vectors, t.mismatches) for t in v.implementations] for v in (other, whole)]
        assert counts[0] == counts[1]
    with pytest.raises(QcsError, match="another"):
        simulate(codec.bundle, config.model_copy(update={"seed": 9}), resume=half)


def group_ends(group: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def heed_interrupts() -> None:
    """Undo what a shell does to commands in the background: ignore SIGINT, for all their children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interrupting_leaves_no_process_behind(codec: Codec, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qcskit.cli", "simulate", str(codec.bundle.path), "-n", "50000000", "-j", "2",
               "--out", str(tmp_path / "v.json"), "--quiet"]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(command, env=env, start_new_session=True, stderr=subprocess.PIPE,
                               preexec_fn=heed_interrupts)  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "v.json").is_file() and time.monotonic() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    stderr = process.communicate(timeout=60)[1]
    assert process.returncode == 130, stderr
    assert b"Traceback" not in stderr
    assert group_ends(process.pid, within_s=10)
    assert 0 < len(read_verdict(tmp_path / "v.json").chunks_done) < 5_000


def test_thresholds_on_the_output_grid_count_as_the_definition_says() -> None:
    rng = np.random.default_rng(0)
    q = np.arange(-128, 128).astype(np.int8)
    for scale, zero_point in ((1 / 128, 0), (0.0123, -7), (0.5, 100)):
        t = np.sort(rng.normal(size=9) * 60 * scale)
        expected = [sum(int(v) > math.floor(zero_point + e / scale) for e in t) for v in q]
        np.testing.assert_array_equal(tflm.index(q, (scale, zero_point), t.tolist()), expected)


def test_a_flatbuffer_that_is_none_is_refused() -> None:
    for content in (b"", b"abc" * 40, bytes(500)):
        with pytest.raises(QcsError, match="TFLite Micro does not accept"):
            tflm.TflmRuntime(content)


def test_importing_and_running_load_no_tensorflow(codec: Codec) -> None:
    code = (
        "import sys, pathlib\nfrom qcskit.codec.bundle import read_bundle\n"
        "from qcskit.firmware_sim import SimulateConfig, simulate\n"
        f"v = simulate(read_bundle(pathlib.Path({str(codec.bundle.path)!r})), SimulateConfig(vectors=100))\n"
        "assert v.passed\nassert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
