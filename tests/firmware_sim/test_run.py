"""`qcskit simulate` as a run: every implementation on every set, processes, resuming, interrupts, exit codes."""

import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from support.bundles import coded_bundle, learned_bundle, sparse_bundle
from support.tampered import arrays_edited, lower_first_threshold, tampered, with_other_c
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.cli.simulate import lines
from qcskit.codec import codecs
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.evidence import Evidence
from qcskit.codec.interface import Codec
from qcskit.codec.learned import tflm
from qcskit.codec.metrics import Clipped
from qcskit.codec.own_data import OwnData
from qcskit.firmware_sim import SimulateConfig, simulate
from qcskit.firmware_sim.checker import Checker, ChunkResult, chunk_vectors
from qcskit.firmware_sim.run import (
    _LONG_RUN,
    _end_with_parent,
    _fresh,
    _in_order,
    _merge,
    _results,
    _single_threaded_blas,
    _start,
    _work,
)
from qcskit.firmware_sim.vectors import CHUNK_VECTORS, chunk_count, draw_chunk
from qcskit.firmware_sim.verdict import Mismatch, RecoveryFacts, Tally, read_verdict, recovery_of


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


def test_vectors_that_an_encoder_marks_are_counted_in_its_verdict(codec: Codec, tmp_path: Path) -> None:
    """Of what a sensor gives, over all chunks; none where the codec marks nothing."""
    marking = sparse_bundle(tmp_path / "b")
    rng = np.random.default_rng(3)
    own = rng.integers(-300, 300, (700, marking.inputs)).astype(np.int16)
    config = SimulateConfig(vectors=CHUNK_VECTORS + 4000, oracle_vectors=0)
    seen: list[tuple[int, int | None]] = []
    data = OwnData(own, None, sha256="0" * 64)
    verdict = simulate(marking.bundle, config, data=data, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (config.vectors + 700, config.vectors + 700)
    marks = marking.guarded(marking.encode_counts(own))
    assert marks is not None
    assert 0 < marks.sum() < len(marks) == 1400
    assert verdict.guarded["data"] == marks.sum()
    chunks = [draw_chunk(marking, config.seed, k, chunk_vectors(config, k)) for k in range(chunk_count(config))]
    drawn = [part.values for parts in chunks for part in parts if part.name == "source"]
    each = [int(np.sum(marking.guarded(marking.encode_counts(values)))) for values in drawn]  # type: ignore[arg-type]
    assert len(each) > 1
    assert min(each) > 0
    assert verdict.guarded["source"] == sum(each)
    assert f"guarded in data: {marks.sum():,} vectors marked as off the design, and sent coarsely" in lines(verdict)
    assert simulate(codec.bundle, SimulateConfig(vectors=300, oracle_vectors=0)).guarded == {}


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
    assert "thresholds is 8" in str(run(app, ["simulate", str(uneven.path)]).exception)
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
    seen: list[tuple[int, int]] = []
    resumed = simulate(codec.bundle, config, resume=half, progress=lambda *done: seen.append(done))
    assert seen == [(done, 40_000) for done in (20_000, 30_000, 40_000)], "golden vectors are none of them"
    for other in (parallel, resumed):
        assert other.complete
        assert other.sets == whole.sets
        counts = [[(t.name, t.vectors, t.mismatches) for t in v.implementations] for v in (other, whole)]
        assert counts[0] == counts[1]
    with pytest.raises(QcsError, match="another"):
        simulate(codec.bundle, config.model_copy(update={"seed": 9}), resume=half)


def test_a_run_that_is_killed_has_lost_a_few_seconds(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock of this test: at 5.0 s nothing is kept yet, at 5.1 s it is; so again after as long."""
    times_s = [0.0, 0.0, 5.0, 5.1, 10.0, 10.3, 10.4]
    clock, kept, out = iter(times_s), [], tmp_path / "v.json"
    now = SimpleNamespace(s=next(clock))
    tallies = (Tally(name="numpy", role="reference", vectors=1),)
    chunks = (ChunkResult(number, tallies, {"source": 1}, None, None) for number in range(-1, 5))
    monkeypatch.setattr("qcskit.firmware_sim.run.time", SimpleNamespace(monotonic=lambda: now.s))
    monkeypatch.setattr("qcskit.firmware_sim.run._results", lambda checker, todo: chunks)

    def progress(done: int, total: int) -> None:
        kept.append(len(read_verdict(out).chunks_done) if out.is_file() else 0)
        now.s = next(clock, now.s)

    simulate(codec.bundle, FEW.model_copy(update={"vectors": 5 * CHUNK_VECTORS}), out=out, progress=progress)
    assert kept == [0, 0, 0, 2, 2, 4, 4]


def test_a_run_that_ends_before_its_first_chunk_leaves_no_file(codec: Codec, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(codec.bundle, FEW, out=tmp_path / "v.json", progress=stop)
    assert not (tmp_path / "v.json").exists()


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
        with pytest.raises(QcsError, match="TFLite Micro does not accept it"):
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


FEW = SimulateConfig(vectors=300, oracle_vectors=0, reported_vectors=0)
LONG_CHUNKS = _LONG_RUN // CHUNK_VECTORS


def other_thresholds(manifest: dict[str, Any]) -> None:
    manifest["codec"]["thresholds"][3] += 1 / 128


def test_a_verdict_of_another_bundle_or_configuration_is_not_resumed(codec: Codec, tmp_path: Path) -> None:
    verdict = simulate(codec.bundle, FEW)
    assert simulate(codec.bundle, FEW.model_copy(update={"processes": 1}), resume=verdict).passed
    model = learned_bundle(tmp_path / "model", widths=(10, 50, 10), seed=2).bundle
    with pytest.raises(QcsError, match="to resume is of another run: bundle and image differ; run without --resume"):
        simulate(model, FEW, resume=verdict)
    same_tables = tampered(codec.bundle, tmp_path / "thresholds", "manifest.json", other_thresholds)
    with pytest.raises(QcsError, match="is of another run: bundle differs; run without --resume"):
        simulate(same_tables, FEW, resume=verdict)
    for key, value in {"vectors": 301, "seed": 2, "oracle_vectors": 1, "reported_vectors": 1, "boards": "native",
                       "board_vectors": 2, "compiler": "clang"}.items():  # fmt: skip
        with pytest.raises(QcsError, match=r"of another run: .*\bconfiguration\b.* differs?; run without"):
            simulate(codec.bundle, FEW.model_copy(update={key: value}), resume=verdict)


@pytest.mark.parametrize(
    ("place", "part"),
    [
        ("codec.evidence.kit", "qcskit"),
        ("codec.evidence.libraries", "libraries"),
        ("firmware.provenance.core_digest", "C core"),
        ("firmware.provenance.tool_version", "compiler"),
        ("firmware.provenance.image_digest", "image"),
    ],
)
def test_what_differs_in_a_verdict_to_resume_is_named(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, place: str, part: str
) -> None:
    verdict = simulate(codec.bundle, FEW)
    monkeypatch.setattr(f"qcskit.{place}", lambda *_: "another one")
    with pytest.raises(QcsError, match=f"^the verdict to resume is of another run: {part} differs; run without"):
        simulate(codec.bundle, FEW, resume=verdict)


def test_a_damaged_c_text_is_never_resumed_as_sound(codec: Codec, tmp_path: Path) -> None:
    """The rest of a run must not stand on a C text that a fresh run finds wrong."""
    name = f"c/qcs_model_{codec.name}.c"
    verdict = simulate(codec.bundle, FEW)
    damaged = tampered(codec.bundle, tmp_path / "b", name, lambda text: lower_first_threshold(text.decode()).encode())
    for resume in (None, verdict):
        with pytest.raises(QcsError, match=f"{name} is not what tables.npz gives"):
            simulate(damaged, FEW, resume=resume)


def test_boards_and_their_firmware_are_evidence(codec: Codec) -> None:
    config = FEW.model_copy(update={"boards": "native"})
    parts = Checker(codec.bundle, config).evidence.parts
    assert parts["image of native"] != parts["image"]
    assert parts["flags of native"] != parts["flags"]
    assert parts["C core of native"] == parts["C core"]
    assert "processes" not in parts["configuration"]


def test_a_failed_verdict_stays_failed_and_runs_no_further(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_other_c(codec, lambda text: text.replace(".offset = 3,", ".offset = 4,"), monkeypatch)
    out = tmp_path / "v.json"
    verdict = simulate(codec.bundle, FEW, out=out)
    assert (verdict.passed, verdict.complete, verdict.chunks_done) == (False, False, [])
    assert simulate(codec.bundle, FEW, resume=read_verdict(out)) == read_verdict(out) == verdict
    monkeypatch.undo()
    with pytest.raises(QcsError, match="the verdict to resume is of another run: image differs; run without --resume"):
        simulate(codec.bundle, FEW, resume=read_verdict(out))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_golden_packet_that_differs_ends_the_run(codec: Codec, tmp_path: Path, processes: int) -> None:
    def edit(vectors: dict[str, np.ndarray]) -> None:
        vectors["packed"][9] ^= 1

    bundle = tampered(codec.bundle, tmp_path / "b", "vectors.npz", arrays_edited(edit))
    config = FEW.model_copy(update={"vectors": 30_000, "processes": processes})
    verdict = simulate(bundle, config, out=tmp_path / "v.json")
    assert (verdict.passed, verdict.complete, verdict.chunks_done) == (False, True, [-1])
    assert verdict.sets == {"golden": 32, "golden inputs": 32}
    assert verdict.first_mismatch is not None
    assert verdict.first_mismatch.frame == 2
    assert read_verdict(tmp_path / "v.json") == verdict


def a_mismatch(chunk: int) -> Mismatch:
    return Mismatch(chunk=chunk, frame=0, set="source", input=[], packets={}, explained={})


def test_chunks_add_up_to_the_run(codec: Codec) -> None:
    """Tallies by name, sets by name, recovery; the first mismatch stays, and fails the run for good."""
    rng = np.random.default_rng(0)
    verdict = _fresh(codec.bundle, FEW, Evidence.of({}))
    numbers = rng.integers(1, 100, (6, 5)).tolist()
    for place, (a, b, c, d, e) in enumerate(numbers):
        names = {"a": (a, c)} | ({"b": (b, c)} if place else {})
        tallies = tuple(Tally(name=name, role=name, vectors=v, mismatches=m) for name, (v, m) in names.items())
        wrong = a_mismatch(place) if place in (3, 5) else None
        recovery = RecoveryFacts(frames=a, perfect=b, flagged=c, energy=d, error=e) if place > 1 else None
        clipped = {} if place == 2 else {"s": Clipped.of(d, np.array([0.5, place / 5]))}
        sets, guarded = {"s": d, f"t{place % 2}": e}, {"s": a} | ({"t": b} if place > 2 else {})
        verdict = _merge(verdict, ChunkResult(5 - place, tallies, sets, wrong, recovery, clipped, guarded))
        assert verdict.passed == (place < 3)
    total = [sum(column) for column in zip(*numbers, strict=True)]
    tail = [sum(column) for column in zip(*numbers[1:], strict=True)]
    assert [(t.name, t.role, t.vectors, t.mismatches) for t in verdict.implementations] == [
        ("a", "a", total[0], total[2]), ("b", "b", tail[1], tail[2]),
    ]  # fmt: skip
    assert verdict.sets == {
        "s": total[3],
        "t0": sum(n[4] for n in numbers[::2]),
        "t1": sum(n[4] for n in numbers[1::2]),
    }
    assert verdict.vectors == total[3] + total[4]
    assert verdict.chunks_done == [0, 1, 2, 3, 4, 5]
    assert verdict.first_mismatch == a_mismatch(3)
    a, b, c, d, e = (sum(column) for column in zip(*numbers[2:], strict=True))
    assert verdict.recovery == RecoveryFacts(frames=a, perfect=b, flagged=c, energy=d, error=e)
    assert verdict.guarded == {"s": total[0], "t": sum(n[1] for n in numbers[3:])}
    (found,) = verdict.clipped.values()
    vectors = np.array([n[3] for n in numbers]) * (np.arange(6) != 2)
    assert (found.vectors, found.per_input[0]) == (vectors.sum(), 0.5)
    assert found.per_input[1] == pytest.approx((vectors * np.arange(6)).sum() / 5 / vectors.sum())


def test_results_come_in_order_whoever_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunk 0 ends only after two later ones have."""
    ended = {number: threading.Event() for number in range(12)}

    def work(number: int) -> ChunkResult:
        for later in (number + 1, number + 2):
            if number % 4 == 0:
                assert ended[later].wait(20)
        ended[number].set()
        return ChunkResult(number, (), {}, None, None)

    monkeypatch.setattr("qcskit.firmware_sim.run._work", work)
    with ThreadPoolExecutor(3) as pool:
        assert [result.number for result in _in_order(cast(Any, pool), range(12), 3)] == list(range(12))


def test_a_worker_s_error_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(number: int) -> ChunkResult:
        if number == 2:
            raise QcsError("the worker failed")
        return ChunkResult(number, (), {}, None, None)

    monkeypatch.setattr("qcskit.firmware_sim.run._work", work)
    with ThreadPoolExecutor(2) as pool, pytest.raises(QcsError, match="the worker failed"):
        list(_in_order(cast(Any, pool), range(6), 2))


class Lazy(Executor):
    """Keeps what it is given, computes nothing by itself."""

    def __init__(self) -> None:
        self.given: dict[int, Future[ChunkResult]] = {}
        self.ended: list[tuple[bool, bool]] = []

    def submit(self, work: Any, /, number: int) -> Future[ChunkResult]:  # type: ignore[override]
        self.given[number] = Future()
        return self.given[number]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.ended.append((wait, cancel_futures))


@pytest.mark.parametrize("processes", [1, 3])
def test_few_chunks_wait_and_whoever_stops_asking_ends_them(monkeypatch: pytest.MonkeyPatch, processes: int) -> None:
    """Two of each process; what was not begun is cancelled, what was is not waited for."""
    pool, seen = Lazy(), []

    def wait(waiting: dict[Future[ChunkResult], int], return_when: str) -> tuple[set[Future[ChunkResult]], set[Any]]:
        seen.append((len(waiting), return_when))
        first = next(iter(waiting))
        first.set_result(ChunkResult(waiting[first], (), {}, None, None))
        return {first}, set()

    monkeypatch.setattr("qcskit.firmware_sim.run.wait", wait)
    results = _in_order(cast(Any, pool), itertools.count(5), processes)
    assert [next(results).number for _ in range(3)] == [5, 6, 7]
    assert seen == [(2 * processes, "FIRST_COMPLETED")] * 3
    assert (list(pool.given), pool.ended) == (list(range(5, 5 + 2 * processes + 3)), [])
    results.close()  # type: ignore[attr-defined]
    assert pool.ended == [(False, True)]


@pytest.mark.parametrize("before", [None, "4"])
def test_workers_have_a_thread_each_and_the_caller_what_it_had(monkeypatch: pytest.MonkeyPatch, before: Any) -> None:
    name = "OPENBLAS_NUM_THREADS"
    monkeypatch.delenv(name, raising=False)
    if before:
        monkeypatch.setenv(name, before)
    with suppress(InterruptedError), _single_threaded_blas():
        assert os.environ[name] == "1"
        raise InterruptedError
    assert os.environ.get(name) == before


def test_a_worker_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    parents, slept, ended = iter([7, 7, 1]), [], []
    monkeypatch.setattr("qcskit.firmware_sim.run.os.getppid", lambda: next(parents))
    monkeypatch.setattr("qcskit.firmware_sim.run.os._exit", ended.append)
    monkeypatch.setattr("qcskit.firmware_sim.run.time", SimpleNamespace(sleep=slept.append))
    _end_with_parent(7)
    assert (len(slept), ended) == (2, [1])
    assert max(slept) <= 1


def test_a_worker_is_told_all_that_its_parent_knows(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The families that were registered, the user's data; and it may not outlive its parent."""
    watched, run = [], "qcskit.firmware_sim.run"
    monkeypatch.setattr(f"{run}.signal", SimpleNamespace(signal=lambda *_: None, SIGINT=2, SIG_IGN=1))
    monkeypatch.setattr(f"{run}.threading.Thread", lambda **keys: SimpleNamespace(start=lambda: watched.append(keys)))
    monkeypatch.setattr(f"{run}._checker", None)
    families, data = [], OwnData(np.zeros((3, codec.inputs), np.int16), None)
    monkeypatch.setattr(f"{run}.codecs.register", families.append)
    _start(codec.bundle.path, FEW, codecs.families(), data)
    assert tuple(families) == codecs.families()
    assert watched == [{"target": _end_with_parent, "args": (os.getppid(),), "daemon": True}]
    assert _work(-1).sets == {"golden": 32, "golden inputs": 32}
    assert _work(1).sets == {"data": 3}


def test_recovery_is_counted_over_golden_and_drawn_sources(tmp_path: Path) -> None:
    codec = coded_bundle(tmp_path / "b")
    verdict = simulate(codec.bundle, SimulateConfig(vectors=200, oracle_vectors=0))
    found = verdict.recovery
    assert found is not None
    assert found.frames == verdict.sets["golden"] + verdict.sets["source"]
    x, y = codec.bundle.vectors["x"], codec.bundle.vectors["y"]
    assert found.perfect >= recovery_of(codec.decode(codec.encode(y)), x).perfect > 0
    assert found.energy > (x.astype(float) ** 2).sum()


def test_a_decoder_that_only_comes_near_counts_no_recovery(codec: Codec) -> None:
    assert simulate(codec.bundle, FEW).recovery is None


@pytest.mark.parametrize(
    ("asked", "chunks", "started"),
    [(1, 1000, []), (2, 3, [2]), (0, LONG_CHUNKS - 1, []), (0, LONG_CHUNKS, [7])],
)
def test_a_long_run_takes_every_core_and_a_short_one_none(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, asked: int, chunks: int, started: list[int]
) -> None:
    pools: list[int] = []

    def pool(processes: int, **_: object) -> None:
        pools.append(processes)
        raise InterruptedError

    monkeypatch.setattr("qcskit.firmware_sim.run.ProcessPoolExecutor", pool)
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    config = FEW.model_copy(update={"processes": asked})
    with suppress(InterruptedError):
        next(_results(Checker(codec.bundle, config), list(range(chunks))))
    assert pools == started


def test_a_worker_leaves_control_c_to_its_parent(codec: Codec) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from qcskit.firmware_sim import SimulateConfig, run
signal.signal(signal.SIGINT, signal.SIG_DFL)
run._start(Path(sys.argv[1]), SimulateConfig(), (), None)
os.kill(os.getpid(), signal.SIGINT)
print("goes on")
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    command = [sys.executable, "-c", script, str(codec.bundle.path)]
    assert subprocess.run(command, env=env, capture_output=True, text=True, check=False).stdout == "goes on\n"
