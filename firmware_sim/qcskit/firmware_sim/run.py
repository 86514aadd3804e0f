"""A whole run: chunks over processes, progress, a verdict that can be resumed."""

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from qcskit.codec.bundle import Bundle, read_bundle
from qcskit.codec.errors import QcsError
from qcskit.firmware_sim.check import ChunkResult, check_chunk, check_counts
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.counts import simulate_counts
from qcskit.firmware_sim.implementations import Implementation, board_implementations, implementations
from qcskit.firmware_sim.vectors import CHUNK_VECTORS, draw_chunk, golden_chunk
from qcskit.firmware_sim.verdict import Verdict, environment

Progress = Callable[[int, int], None]
"""Called with (vectors done, vectors in all)."""

_LONG_RUN = 500_000
"""Vectors from which on starting processes pays."""

_SAVE_EVERY_S = 5.0


class Checker:
    """The implementations of one bundle, made once per process; checks chunk after chunk."""

    def __init__(self, bundle: Bundle, config: SimulateConfig) -> None:
        self.bundle, self.config = bundle, config
        self.found: list[Implementation] = implementations(
            bundle, tflm_vectors=config.tflm_vectors, litert_vectors=config.litert_vectors, compiler=config.compiler
        ) + board_implementations(bundle, config.boards, config.board_vectors)

    def chunk(self, number: int) -> ChunkResult:
        """Check chunk `number`; −1 is the golden vectors."""
        if number < 0:
            golden = golden_chunk(self.bundle)
            return check_chunk(self.bundle, self.found, golden, [len(golden.x)] * len(self.found))
        frames = chunk_frames(self.config, number)
        chunk = draw_chunk(self.bundle, self.config.seed, number, frames)
        shares = [frames if i.limit is None else _share(i.limit, self.config, number) for i in self.found]
        return check_chunk(self.bundle, self.found, chunk, shares)


def chunk_count(config: SimulateConfig) -> int:
    """Return how many chunks the run's vectors make."""
    return math.ceil(config.vectors / CHUNK_VECTORS)


def chunk_frames(config: SimulateConfig, number: int) -> int:
    """Return the vectors of chunk `number`."""
    return min(CHUNK_VECTORS, config.vectors - number * CHUNK_VECTORS)


def _share(limit: int, config: SimulateConfig, number: int) -> int:
    """Return how many vectors of a chunk an implementation with a limit computes, so that the sum is the limit."""
    start = number * CHUNK_VECTORS
    limit = min(limit, config.vectors)
    end = start + chunk_frames(config, number)
    return end * limit // config.vectors - start * limit // config.vectors


def simulate(
    bundle: Bundle, config: SimulateConfig, *, out: Path | None = None, resume: Verdict | None = None,
    progress: Progress | None = None,
) -> Verdict:  # fmt: skip
    """Run the comparison and return the verdict; it stops at the first chunk that holds a mismatch.

    out: verdict.json, rewritten every few seconds, so that an interrupted run can be resumed. resume: an earlier,
    incomplete verdict of the same bundle and configuration. Raises QcsError if it is of another one.
    """
    report = progress or (lambda done, total: None)
    if bundle.counts_only:
        if resume:
            raise QcsError(f"--resume: bundle '{bundle.path}' takes ADC counts alone, and such a run is not resumed; "
                           f"run without --resume")  # fmt: skip
        return simulate_counts(bundle, config, out, report)
    verdict = resume or _fresh(bundle, config)
    _check_resumable(verdict, bundle, config)
    todo = sorted(set(range(-1, chunk_count(config))) - set(verdict.chunks_done))
    saved = time.monotonic()
    try:
        if verdict.counts is None:
            verdict = _with_counts(verdict, bundle, config)
        report(verdict.vectors, config.vectors)
        if verdict.passed:
            for result in _results(bundle, config, todo):
                verdict = _merge(verdict, result)
                report(verdict.vectors - verdict.sets.get("golden", 0), config.vectors)
                if not verdict.passed:
                    break
                if out and time.monotonic() - saved > _SAVE_EVERY_S:
                    verdict.write(out)
                    saved = time.monotonic()
            verdict = verdict.model_copy(update={"complete": True})
    finally:
        if out and verdict.chunks_done:
            verdict.write(out)
    return verdict


def _fresh(bundle: Bundle, config: SimulateConfig) -> Verdict:
    return Verdict(
        bundle=bundle.manifest.name, model_id=bundle.manifest.model_id, config=config, passed=True, complete=False,
        vectors=0, sets={}, implementations=[], environment=environment(),
    )  # fmt: skip


def _check_resumable(verdict: Verdict, bundle: Bundle, config: SimulateConfig) -> None:
    if verdict.model_id != bundle.manifest.model_id:
        raise QcsError(f"the verdict to resume is of model {verdict.model_id}, the bundle is "
                       f"{bundle.manifest.model_id}; run without --resume")  # fmt: skip
    if verdict.config.model_copy(update={"processes": config.processes}) != config:
        raise QcsError("the verdict to resume was made with another [simulate] configuration; run without --resume")


def _with_counts(verdict: Verdict, bundle: Bundle, config: SimulateConfig) -> Verdict:
    counts = check_counts(bundle, config.compiler)
    return verdict.model_copy(update={"counts": counts, "passed": verdict.passed and counts.passed})


def _merge(verdict: Verdict, result: ChunkResult) -> Verdict:
    tallies = {tally.name: tally for tally in verdict.implementations}
    for tally in result.tallies:
        tallies[tally.name] = tallies[tally.name].plus(tally) if tally.name in tallies else tally
    sets = dict(verdict.sets)
    for name, count in result.sets.items():
        sets[name] = sets.get(name, 0) + count
    return verdict.model_copy(
        update={
            "implementations": list(tallies.values()), "sets": sets, "vectors": sum(sets.values()),
            "chunks_done": sorted([*verdict.chunks_done, result.number]),
            "passed": verdict.passed and result.mismatch is None,
            "first_mismatch": verdict.first_mismatch or result.mismatch,
        }
    )  # fmt: skip


def _results(bundle: Bundle, config: SimulateConfig, todo: list[int]) -> Iterator[ChunkResult]:
    processes = config.processes or (os.cpu_count() or 1 if len(todo) * CHUNK_VECTORS >= _LONG_RUN else 1)
    if processes == 1:
        checker = Checker(bundle, config)
        yield from (checker.chunk(number) for number in todo)
        return
    Checker(bundle, config)  # compiles the library once, and says here what is wrong with the bundle
    with _single_threaded_blas(), ProcessPoolExecutor(
        processes, mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(bundle.path, config)
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


def _start(path: Path, config: SimulateConfig) -> None:
    global _checker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the run
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _checker = Checker(read_bundle(path), config)


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
