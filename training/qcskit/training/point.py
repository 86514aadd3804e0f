"""One point of a sweep in a process of its own: a crash is that point's alone, and memory ends with it.

`python -m qcskit.training.point` reads a Spec as one JSON line from standard input, trains, and prints one JSON line.
It ends at once when its standard input closes, that is, when the sweep that started it is gone.
"""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Spec:
    """What to train or fit and where the run goes; plain types, so that it travels to any worker.

    train: keys of [train], or of [classical] if `classical`.
    """

    path: str
    signal: dict[str, Any]
    train: dict[str, Any]
    classical: bool = False


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
    """Train one point in a child process and return its columns; never raises for what goes wrong in there.

    threads: TensorFlow's, 0 = all cores.
    """
    workers = workers or Workers()
    if workers.stopped:
        return {"status": "failed", "error": "not started: the sweep was interrupted"}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if threads:
        environment |= {"TF_NUM_INTRAOP_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "qcskit.training.point"]
    pipe = subprocess.PIPE
    errors: list[str] = []
    lines: list[str] = []
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment) as child:
        workers.running.add(child)
        reader = threading.Thread(target=lambda: errors.extend(child.stderr or ()), daemon=True)
        reader.start()
        try:
            if child.stdin and child.stdout:  # stays open: the child ends when it closes
                child.stdin.write(json.dumps(asdict(spec)) + "\n")
                child.stdin.flush()
                lines = child.stdout.read().strip().splitlines()
        except BrokenPipeError:
            pass  # it died at once; its exit code says why
        finally:
            code = child.wait()
            reader.join(timeout=5)
            workers.running.discard(child)
    if code == 0 and lines:
        result: dict[str, str] = json.loads(lines[-1])
        return result
    last = next((line.strip() for line in reversed(errors) if line.strip()), "no message")
    how = f"killed by signal {-code}" if code < 0 else f"exit {code}"
    return {"status": "failed", "error": f"{how}: {last}"}


def train_point(spec: Spec) -> dict[str, str]:
    """Train or fit one point here and return its columns."""
    from qcskit.codec.signal import SignalConfig

    if spec.classical:
        from qcskit.codec.classical.config import ClassicalConfig
        from qcskit.training.classical import classical_run

        reached = classical_run(Path(spec.path), ClassicalConfig(**spec.train), SignalConfig(**spec.signal))
        return {"status": "done", "nmse_hard_db": f"{reached.nmse_db:.4f}", "seconds": f"{reached.seconds:.1f}"}
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    path = Path(spec.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    metrics = train_run(path, TrainConfig(**spec.train), SignalConfig(**spec.signal), lambda step, soft, hard: None)
    return {
        "status": "done",
        "nmse_hard_db": f"{metrics['nmse_hard_db']:.4f}",
        "best_step": str(metrics["best_step"]),
        "seconds": str(metrics["train_seconds"]),
    }


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    """Serve one spec."""
    spec = Spec(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        result = train_point(spec)
    except Exception as error:
        if not isinstance(getattr(error, "exit_code", None), int):
            raise
        result = {"status": "failed", "error": " ".join(str(error).split())}
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the thread still waits for input


if __name__ == "__main__":
    main()
