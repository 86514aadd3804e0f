"""One point of a sweep in a process of its own: a crash is that point's alone, and memory ends with it.

`python -m qcskit.training.point SPEC` runs a Spec, given as JSON, and prints its columns as one JSON line. It ends at
once when its standard input closes, that is, when the sweep that started it is gone.
"""

import errno
import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig

HALTED = "halted"
"""Status of a point that found no room on its disk: no other point would."""
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Spec:
    """What to run and where its results go; plain types, so that it travels to any worker.

    room: module that runs it. config: keys of the room's CONFIG.
    """

    path: str
    room: str
    signal: dict[str, Any]
    config: dict[str, Any]


@dataclass
class Workers:
    """The children now running, so that an interrupted sweep can end them."""

    running: set[Any] = field(default_factory=set)
    stopped: bool = False

    def stop(self) -> None:
        """Kill every running child and start no more."""
        self.stopped = True
        for child in list(self.running):
            child.kill()


def run_in_child(spec: Spec, threads: int, workers: Workers | None = None) -> dict[str, str]:
    """Run one point in a child process and return its columns; never raises for what goes wrong in there.

    threads: TensorFlow's, 0 = all cores.
    """
    workers = workers or Workers()
    if workers.stopped:
        return failed("not started: the sweep was interrupted")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if threads:
        environment |= {"TF_NUM_INTRAOP_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    command, pipe = [sys.executable, "-m", "qcskit.training.point", json.dumps(asdict(spec))], subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace", env=environment
    ) as child:
        _lifeline, child.stdin = child.stdin, None  # communicate() would close it, and so end the child
        workers.running.add(child)
        output, errors = child.communicate()
        workers.running.discard(child)
    if child.returncode == 0 and output.strip():
        return dict(json.loads(output.splitlines()[-1]))
    *_, last = ["no message", *(line.strip() for line in errors.splitlines() if line.strip())]
    how = f"killed by signal {-child.returncode}" if child.returncode < 0 else f"exit {child.returncode}"
    return failed(f"{how}: {last}")


def failed(error: object) -> dict[str, str]:
    """Return the columns of a failure, its reason on one line."""
    return {"status": "failed", "error": " ".join(str(error).split())}


def run_point(spec: Spec) -> dict[str, str]:
    """Run one point here and return its columns; those of a failure, or of a halt, for what its user can mend."""
    room = import_module(spec.room)
    try:
        result = room.run(Path(spec.path), room.CONFIG(**spec.config), SignalConfig(**spec.signal))
    except QcsError as error:
        full = isinstance(error.__cause__, OSError) and error.__cause__.errno in _NO_ROOM
        return failed(error) | ({"status": HALTED} if full else {})
    return {"status": "done", **result}


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Run the spec of the command line."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.stdout.write(json.dumps(run_point(Spec(**json.loads(sys.argv[1])))) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the thread still waits for input


if __name__ == "__main__":
    main()
