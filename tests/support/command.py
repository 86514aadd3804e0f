"""The command `qcskit` as its tests run it."""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Made = Callable[[str], Path]
"""Fixture `made`: name of support.bundles.BUNDLES → path of that bundle."""
Run = Callable[..., subprocess.CompletedProcess[str]]
"""Fixture `run`: arguments → the finished command."""
LIMIT_S = 120


@contextmanager
def command_server(environment: dict[str, str], scratch: Path) -> Iterator[Run]:
    """Yield a function (arguments, cwd) → the finished command, each in a process of its own."""
    server = subprocess.Popen(
        [sys.executable, "-m", "support.command_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip

    def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        files = {name: str(scratch / name) for name in ("stdout", "stderr")}
        print(json.dumps({"argv": [*map(str, arguments)], "cwd": str(cwd), **files}), file=server.stdin, flush=True)
        if not select.select([server.stdout], [], [], LIMIT_S)[0]:
            server.kill()
            raise subprocess.TimeoutExpired(arguments, LIMIT_S)
        code = int(server.stdout.readline())
        texts = {name: Path(file).read_text(encoding="utf-8") for name, file in files.items()}
        return subprocess.CompletedProcess(arguments, code, **texts)

    with server:
        yield run
        server.stdin.close()


def refused(done: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    """Check the exit code, that stderr is one line without a traceback, and its words."""
    assert done.returncode == code, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]
