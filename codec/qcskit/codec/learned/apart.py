"""A runtime for flatbuffers in a process of its own: it trusts what a file says, and a damaged one can crash it.

There a crash is an error message. A call costs two turns through a pipe.
"""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from typing import IO, Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.runtime_worker import receive, send

_STOP_S = 5.0
_PIPE_BYTES = 1 << 20


class Apart:
    """A model with one input and one output, run on whole batches.

    runtime: a function of `runtime_worker`, options: what it takes. name: what errors call it. Raises QcsError if the
    runtime does not accept the model, crashes, or fails when it runs.
    """

    def __init__(self, name: str, model: bytes, runtime: str, **options: object) -> None:
        self._name, self._model, self._options = name, model, {"runtime": runtime, **options}
        self._lock = threading.Lock()
        self._start()

    @property
    def inputs(self) -> int:
        """Entries of an input frame."""
        return math.prod(self.input_shape[1:])

    @property
    def outputs(self) -> int:
        """Entries of an output frame."""
        return math.prod(self.output_shape[1:])

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the output (frames, …) for input x (frames, …) of the model's input dtype."""
        if x.shape[1:] != self.input_shape[1:]:
            raise QcsError(f"this model takes frames of shape {self.input_shape[1:]}, not {x.shape[1:]}")
        shape = (len(x), *self.output_shape[1:])
        if not len(x):
            return np.empty(shape, self._output)
        with self._lock:
            if self._pid != os.getpid():  # a child that was forked off must not talk into its parent's pipes
                self._start()
            answer = self._ask("run", np.ascontiguousarray(x, self._input).tobytes())
        if len(answer) != self._output.itemsize * math.prod(shape):
            raise QcsError(f"this model does not answer {len(x)} frames with as many of shape {shape[1:]}")
        return np.frombuffer(answer, self._output).reshape(shape)

    def _start(self) -> None:
        # The worker finds what this process finds, and leaves the cores to the runtime.
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OPENBLAS_NUM_THREADS": "1"}
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "qcskit.codec.learned.runtime_worker"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
        )  # fmt: skip
        self._to, self._from = cast(BinaryIO, self._worker.stdin), cast(BinaryIO, self._worker.stdout)
        self._pid = os.getpid()
        for pipe in (self._to, self._from):
            _widen(pipe)
        weakref.finalize(self, _stop, self._worker, self._pid)
        ends = json.loads(self._ask("accept", json.dumps(self._options).encode(), self._model))
        self._input, self._output = np.dtype(ends["input"]), np.dtype(ends["output"])
        self.input_shape: tuple[int, ...] = tuple(ends["input_shape"])
        self.output_shape: tuple[int, ...] = tuple(ends["output_shape"])
        self.output_grid: tuple[float, int] = tuple(ends["grid"])
        """(scale, zero point) of the output; (0.0, 0) for a float output."""

    def _ask(self, verb: str, *messages: bytes) -> bytes:
        """Return the answer to messages. Raises QcsError if it is an error, or there is none."""
        try:
            for message in messages:
                send(self._to, b"A", message)
            letter, content = receive(self._from)
        except (EOFError, OSError):
            ended = _ended(self._worker)
            raise QcsError(f"{self._name} crashed on this model ({ended}): it is damaged") from None
        if letter == b"E":
            said = content.decode(errors="replace").removeprefix(f"{self._name} does not {verb} it: ")
            raise QcsError(f"{self._name} does not {verb} this model: {said}")
        return content


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold a whole batch, where the system can: both sides then take turns less often."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _ended(worker: "subprocess.Popen[bytes]") -> str:
    """Return how a worker ended, in words."""
    try:
        code = worker.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        return "no answer"
    return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _stop(worker: "subprocess.Popen[bytes]", owner: int) -> None:
    """End a worker: it leaves when its input ends."""
    if os.getpid() != owner:
        return
    pipes: tuple[IO[bytes] | None, ...] = (worker.stdin, worker.stdout)
    for pipe in pipes:
        if pipe is not None:
            with suppress(OSError):  # it died with a message in the pipe
                pipe.close()
    try:
        worker.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
