"""A whole run: chunks over processes, progress, a verdict that can be resumed."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from pathlib import Path

from qcskit.codec import codecs
from qcskit.codec.bundle import Bundle, read_bundle
from qcskit.codec.evidence import Evidence, check_same
from qcskit.codec.files import locked
from qcskit.codec.own_data import OwnData
from qcskit.firmware_sim.checker import Checker, ChunkResult, check_counts
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.vectors import CHUNK_VECTORS, chunk_count
from qcskit.firmware_sim.verdict import Verdict

Progress = Callable[[int, int], None]
"""Called with (vectors done, vectors in all)."""

_LONG_RUN = 500_000
"""Vectors from which on starting processes pays."""

_SAVE_EVERY_S = 5.0


def simulate(
    bundle: Bundle, config: SimulateConfig, *, out: str | Path | None = None, resume: Verdict | None = None,
    progress: Progress | None = None, data: OwnData | None = None,
) -> Verdict:  # fmt: skip
    """Run the comparison and return the verdict; it stops at the first chunk that holds a mismatch.

    out: verdict.json, rewritten every few seconds, so that an interrupted run can be resumed. resume: an earlier,
    incomplete verdict of a run of all the same. Raises QcsError that names what differs if it is not, or if
    another run holds `out`. data: the user's own counts, which everyone computes too.
    >>> from qcskit.codec import read_bundle
    >>> from qcskit.firmware_sim import SimulateConfig, simulate
    >>> verdict = simulate(read_bundle("bundle"), SimulateConfig(vectors=1000))
    >>> verdict.passed, [tally.mismatches for tally in verdict.implementations if tally.name in ("c-host", "tflm")]
    (True, [0, 0])
    """
    out = Path(out) if out else None
    with locked(out) if out else nullcontext():
        # It says here what is wrong with the bundle, and compiles once for all processes.
        return _simulate(Checker(bundle, config, data), out, resume, progress or (lambda done, total: None))


def _simulate(checker: Checker, out: Path | None, resume: Verdict | None, report: Progress) -> Verdict:
    config, codec = checker.config, checker.codec
    verdict = resume or _fresh(codec.bundle, config, checker.evidence, checker.data)
    total = config.vectors + checker.own
    check_same(verdict.evidence, checker.evidence, "the verdict to resume", "run without --resume")
    todo = [number for number in range(-1, chunk_count(config, checker.own)) if number not in verdict.chunks_done]
    saved = time.monotonic()
    try:
        if verdict.counts is None:
            counts = check_counts(codec, checker.host, checker.defined)
            update = {"counts": counts, "passed": verdict.passed and counts.passed, "not_run": checker.not_run,
                      "source_windows": codec.source_windows}  # fmt: skip
            verdict = verdict.model_copy(update=update)
        report(_done(verdict), total)
        if verdict.passed:
            for result in _results(checker, todo):
                verdict = _merge(verdict, result)
                report(_done(verdict), total)
                if not verdict.passed:
                    break
                if out and time.monotonic() - saved > _SAVE_EVERY_S:
                    verdict.write(out)
                    saved = time.monotonic()
            verdict = verdict.model_copy(update={"complete": True})
    finally:
        if out and (verdict.chunks_done or not verdict.passed):
            verdict.write(out)
    return verdict


def _done(verdict: Verdict) -> int:
    """Return the vectors computed beside the golden ones."""
    return sum(count for name, count in verdict.sets.items() if not name.startswith("golden"))


def _fresh(bundle: Bundle, config: SimulateConfig, evidence: Evidence, data: OwnData | None = None) -> Verdict:
    return Verdict(
        bundle=bundle.manifest.name, model_id=bundle.manifest.model_id, config=config, evidence=evidence,
        passed=True, complete=False, vectors=0, sets={}, implementations=[], data=None if data is None else data.facts,
    )  # fmt: skip


def _merge(verdict: Verdict, result: ChunkResult) -> Verdict:
    tallies = {tally.name: tally for tally in verdict.implementations}
    for tally in result.tallies:
        tallies[tally.name] = tallies[tally.name].plus(tally) if tally.name in tallies else tally
    sets = dict(verdict.sets)
    for name, count in result.sets.items():
        sets[name] = sets.get(name, 0) + count
    clipped = dict(verdict.clipped)
    for name, facts in result.clipped.items():
        clipped[name] = clipped[name].plus(facts) if name in clipped else facts
    guarded = dict(verdict.guarded)
    for name, count in result.guarded.items():
        guarded[name] = guarded.get(name, 0) + count
    recovery = verdict.recovery
    if result.recovery is not None:
        recovery = result.recovery if recovery is None else recovery.plus(result.recovery)
    return verdict.model_copy(
        update={
            "implementations": list(tallies.values()), "sets": sets, "vectors": sum(sets.values()),
            "chunks_done": sorted([*verdict.chunks_done, result.number]),
            "passed": verdict.passed and result.mismatch is None,
            "first_mismatch": verdict.first_mismatch or result.mismatch, "recovery": recovery,
            "clipped": clipped, "guarded": guarded,
        }
    )  # fmt: skip


def _results(checker: Checker, todo: list[int]) -> Iterator[ChunkResult]:
    config = checker.config
    processes = config.processes or (os.cpu_count() or 1 if len(todo) * CHUNK_VECTORS >= _LONG_RUN else 1)
    if processes == 1:
        yield from (checker.chunk(number) for number in todo)
        return
    start = (checker.codec.bundle.path, config, codecs.families(), checker.data)
    with _single_threaded_blas(), ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=start
    ) as pool:  # fmt: skip
        yield from _in_order(pool, todo, processes)


def _in_order(pool: ProcessPoolExecutor, todo: Iterable[int], processes: int) -> Iterator[ChunkResult]:
    """Yield results in chunk order, so that the first mismatch is the first; few chunks wait at any time."""
    numbers = iter(todo)
    waiting: dict[Future[ChunkResult], int] = {}
    ready: dict[int, ChunkResult] = {}
    order: list[int] = []

    def submit() -> None:
        number = next(numbers, None)
        if number is not None:
            waiting[pool.submit(_work, number)] = number
            order.append(number)

    for _ in range(2 * processes):
        submit()
    try:
        while order:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                ready[waiting.pop(future)] = future.result()
                submit()
            while order and order[0] in ready:
                yield ready.pop(order.pop(0))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


_checker: Checker | None = None
"""Of this worker process."""


def _start(path: Path, config: SimulateConfig, families: tuple[codecs.Family, ...], data: OwnData | None) -> None:
    global _checker
    for family in families:
        codecs.register(family)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the run
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _checker = Checker(read_bundle(path), config, data)


def _work(number: int) -> ChunkResult:
    assert _checker is not None
    return _checker.chunk(number)


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """Let worker processes start with one BLAS thread each: they share the cores already."""
    name = "OPENBLAS_NUM_THREADS"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
