"""Tests in forks of one process that has the libraries loaded, not the kit: see mutation.py.

Each line of stdin is a JSON order: places, what pytest collects; tests, ids to run, in this order (without: all);
budget_s, CPU after which no test is begun; cpu_s, after which a process is ended; for a run without a mutant reach, a
folder for what its tests reach. The answer: the test that failed first, another word if none was at fault by itself,
null if all passed.
"""

import contextlib
import gc
import json
import math
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

MODULES = (
    "hypothesis", "numba", "scipy.fft", "scipy.optimize", "scipy.signal", "scipy.stats", "matplotlib.figure",
    "pydantic", "typer.testing", "rich.progress", "rich.traceback", "elftools.elf.elffile", "tensorflow",
)  # fmt: skip
TEST_TIMEOUT_S = 300
"""Of one test: on a busy machine it takes long, which is no failure."""
LIMIT_S = 3600
"""Of a whole run, for what waits for ever."""


def serve() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        order = json.loads(line)
        source, sink = os.pipe()
        child = os.fork()
        if child == 0:
            order["sink"] = sink
            os.setsid()
            resource.setrlimit(resource.RLIMIT_CPU, (order.get("cpu_s", 60),) * 2)  # ends what loops for ever
            os._exit(run(order))
        os.close(sink)
        passed = _passes(child, time.monotonic() + LIMIT_S)
        with os.fdopen(source) as pipe:
            failed = pipe.read()
        print(json.dumps(None if passed else failed or "ended"), flush=True)


def _passes(child: int, end: float) -> bool:
    """Return whether the fork ends in time and well; nothing that it started stays."""
    pid = status = 0
    while not pid and time.monotonic() < end:
        time.sleep(0.02)
        pid, status = os.waitpid(child, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if not pid:
        os.waitpid(child, 0)
    return bool(pid) and status == 0


def run(order: dict) -> int:
    """Run pytest on the order. Returns 0 if no test failed."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(quiet, stream)
    plugins: list[object] = [watch := _Watch(order["sink"], order.get("budget_s", math.inf))]
    if "tests" in order:
        plugins.append(_Chosen(order["tests"]))
    reach = order.get("reach")
    if reach:
        plugins.append(_Reach(Path(reach)))
    limits = [f"--timeout={TEST_TIMEOUT_S}", "--timeout-method=thread"]  # a thread ends C that loops, too
    options = ["-q", "-m", "not slow", "-p", "no:cacheprovider", *limits, *(["-x"] if not reach else [])]
    status = pytest.main([*options, *order["places"]], plugins)
    fine = watch.spent or status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    return int(not fine or watch.failed)


class _Chosen:
    """Runs the tests with these ids, in this order."""

    def __init__(self, tests: list[str]) -> None:
        self.rank = {test: number for number, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((i for i in items if i.nodeid in self.rank), key=lambda item: self.rank[item.nodeid])


class _Watch:
    """Writes which test fails first; begins none once the budget is spent."""

    def __init__(self, sink: int, budget_s: float) -> None:
        self.sink, self.budget_s = sink, budget_s
        self.failed = self.spent = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = True
            os.write(self.sink, report.nodeid.encode())

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session

    def pytest_runtest_logfinish(self) -> None:
        if sum(os.times()[:4]) > self.budget_s:
            self.spent, self.session.shouldstop = True, "budget"


class _Reach:
    """Writes what each test reaches, how many seconds it takes and whether it passes.

    What a fixture of several tests reaches counts for the file.
    """

    def __init__(self, folder: Path) -> None:
        import sitecustomize  # _mutant_reach.py in the copy

        self.trace, self.folder = sitecustomize.start(folder), folder
        self.seconds: dict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_collection_modifyitems(self) -> None:
        self.trace.switch("")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.trace.switch(item.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef) -> Iterator[None]:
        test = self.trace.test
        if fixturedef.scope != "function":
            self.trace.switch("")
        result = yield
        self.trace.switch(test)
        return result

    def pytest_sessionfinish(self) -> None:
        self.trace.save()
        found = {"seconds": self.seconds, "failed": sorted(self.failed)}
        (self.folder / "tests.json").write_text(json.dumps(found))


if __name__ == "__main__":
    for module in MODULES:
        with contextlib.suppress(ImportError):
            import_module(module)
    gc.freeze()  # a collection in a fork would copy every page
    serve()
