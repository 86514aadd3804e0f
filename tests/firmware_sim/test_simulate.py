"""`qcskit simulate` on real bundles: everything agrees, and every kind of tampering is found and shown."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec import integer
from qcskit.codec.bundle import Bundle, read_bundle, sha256
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.firmware_sim import SimulateConfig, simulate, tflm, vectors
from qcskit.firmware_sim.verdict import read_verdict


def tampered(bundle: Bundle, where: Path, name: str, edit) -> Bundle:  # type: ignore[no-untyped-def]
    """Copy the bundle with one file changed and its hash made to fit: only a comparison can find it."""
    shutil.copytree(bundle.path, where)
    manifest = json.loads((where / "manifest.json").read_text())
    if name == "manifest.json":
        edit(manifest)
    else:
        (where / name).write_bytes(edit((where / name).read_bytes()))
        manifest["files"][name] = sha256((where / name).read_bytes())
    (where / "manifest.json").write_text(json.dumps(manifest))
    return read_bundle(where)


def test_every_implementation_agrees_on_every_set(bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "verdict.json"
    seen = []
    config = SimulateConfig(vectors=25_000, tflm_vectors=5_000, litert_vectors=1_000)
    verdict = simulate(bundle, config, out=out, progress=lambda done, total: seen.append((done, total)))
    assert verdict.passed
    assert verdict.complete
    assert verdict.sets == {"golden": 32, "source": 10_000, "uniform": 7_500, "corners": 2_500, "edges": 5_000}
    tallies = {tally.name: tally for tally in verdict.implementations}
    assert [tallies[n].vectors for n in ("numpy", "c-host", "tflm", "litert")] == [25_032, 25_032, 5_032, 1_032]
    assert all(tallies[n].mismatches == 0 for n in ("c-host", "tflm", "golden file"))
    assert verdict.counts is not None
    assert verdict.counts.counts == 65_536
    assert seen[-1] == (25_000, 25_000)
    assert read_verdict(out) == verdict


def test_a_wrong_threshold_in_the_c_text_is_found_and_the_vector_shown(bundle: Bundle, tmp_path: Path) -> None:
    def edit(text: bytes) -> bytes:
        head, tail = text.split(b"thresholds[", 1)
        first = re.search(rb"-?\d+,", tail.split(b"{", 1)[1])
        assert first is not None
        value = int(first.group()[:-1])
        return head + b"thresholds[" + tail.replace(b"%d," % value, b"%d," % (value - 1), 1)

    wrong = tampered(bundle, tmp_path / "b", "c/qcs_model_random.c", edit)
    verdict = simulate(wrong, SimulateConfig(vectors=200_000, tflm_vectors=100))
    assert not verdict.passed
    assert verdict.first_mismatch is not None
    found = verdict.first_mismatch
    assert found.indices["numpy"] == found.indices["tflm"] != found.indices["c-host"]
    assert found.indices["c-host"][0] == found.indices["numpy"][0] + 1
    assert len(found.input) == 10
    assert verdict.vectors < 200_000, "it stops at the first mismatch"


def test_a_quantizer_that_the_tables_do_not_have_is_found_by_the_oracle(bundle: Bundle, tmp_path: Path) -> None:
    def edit(manifest: dict[str, list[float]]) -> None:
        manifest["thresholds"][3] += 1 / 128

    wrong = tampered(bundle, tmp_path / "b", "manifest.json", edit)
    verdict = simulate(wrong, SimulateConfig(vectors=2_000))
    assert not verdict.passed
    tallies = {tally.name: tally for tally in verdict.implementations}
    assert tallies["tflm"].mismatches > 0
    assert tallies["c-host"].mismatches == 0


def test_command_line_exit_codes_and_json(bundle: Bundle, tmp_path: Path) -> None:
    run = CliRunner().invoke
    app = build_app()
    out = tmp_path / "v.json"
    good = run(app, ["simulate", str(bundle.path), "-n", "1000", "--out", str(out), "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["passed"] is True
    assert out.is_file()
    wrong = tampered(
        bundle, tmp_path / "b", "manifest.json", lambda m: m["thresholds"].__setitem__(3, 0.99 * m["thresholds"][4])
    )
    bad = run(app, ["simulate", str(wrong.path), "-n", "1000", "--out", str(out)])
    assert isinstance(bad.exception, CheckFailedError)
    assert bad.exception.exit_code == 1
    assert "tflm differs from NumPy" in str(bad.exception)
    uneven = tampered(bundle, tmp_path / "c", "manifest.json", lambda m: m["thresholds"].append(0.99))
    assert "8 thresholds" in str(run(app, ["simulate", str(uneven.path)]).exception)
    missing = run(app, ["simulate", str(tmp_path / "none")])
    assert isinstance(missing.exception, QcsError)
    assert missing.exception.exit_code == 2
    unknown = run(app, ["simulate", str(bundle.path), "--set", "simulate.vectros=3"])
    assert "did you mean 'vectors'?" in str(unknown.exception)


def test_one_flipped_byte_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(bundle.path, tmp_path / "b")
    file = tmp_path / "b" / "encoder.tflite"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(QcsError, match=r"encoder\.tflite does not match"):
        read_bundle(tmp_path / "b")


def test_processes_and_resuming_change_nothing(bundle: Bundle, tmp_path: Path) -> None:
    config = SimulateConfig(vectors=40_000, tflm_vectors=2_000, litert_vectors=0)
    whole = simulate(bundle, config)
    parallel = simulate(bundle, config.model_copy(update={"processes": 2}))

    def stop(done: int, total: int) -> None:
        if done >= 20_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(bundle, config, out=tmp_path / "v.json", progress=stop)
    half = read_verdict(tmp_path / "v.json")
    assert not half.complete
    assert len(half.chunks_done) == 3
    resumed = simulate(bundle, config, resume=half)
    for other in (parallel, resumed):
        assert other.complete
        assert other.sets == whole.sets
        counts = [[(t.name, t.vectors, t.mismatches) for t in v.implementations] for v in (other, whole)]
        assert counts[0] == counts[1]
    with pytest.raises(QcsError, match="another"):
        simulate(bundle, config.model_copy(update={"seed": 9}), resume=half)


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


def test_interrupting_leaves_no_process_behind(bundle: Bundle, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qcskit.cli", "simulate", str(bundle.path), "-n", "50000000", "-j", "2",
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


def test_chunks_are_reproducible_and_edges_are_edges(bundle: Bundle) -> None:
    one, again = (vectors.draw_chunk(bundle, 7, 3, 2_000) for _ in range(2))
    other = vectors.draw_chunk(bundle, 7, 4, 2_000)
    np.testing.assert_array_equal(one.x, again.x)
    assert (one.x != other.x).any()
    edges = one.x[one.sets == one.names.index("edges")]

    def distance_of(x: np.ndarray) -> np.ndarray:
        return vectors.edge_distance(bundle.tables.thresholds, integer.last_accumulator(bundle.tables, x))

    distance, uniform = distance_of(edges), distance_of(one.x[one.sets == one.names.index("uniform")])
    assert np.median(distance) * 4 <= np.median(uniform)
    corners = one.x[one.sets == one.names.index("corners")]
    assert np.isin(corners, [-128, -127, 126, 127]).mean() > 0.7


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


def test_importing_and_running_load_no_tensorflow(bundle: Bundle) -> None:
    code = (
        "import sys, pathlib\nfrom qcskit.codec.bundle import read_bundle\n"
        "from qcskit.firmware_sim import SimulateConfig, simulate\n"
        f"v = simulate(read_bundle(pathlib.Path({str(bundle.path)!r})), SimulateConfig(vectors=100))\n"
        "assert v.passed\nassert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
