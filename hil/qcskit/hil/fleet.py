"""Several boards at once: one thread per port, one results file."""

import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qcskit.codec.errors import QcsError
from qcskit.codec.files import locked, remove_file, write_text
from qcskit.codec.interface import Codec
from qcskit.codec.own_data import OwnData
from qcskit.hil.config import HilConfig
from qcskit.hil.ports import Target
from qcskit.hil.session import Run, results_of, run_device

FleetProgress = Callable[[str, str, int, int], None]
"""progress(board's label, stage, done, total)"""


def run_fleet(
    codec: Codec, config: HilConfig, *, out: Path, resume: bool, progress: FleetProgress,
    targets: list[Target] | None = None, on_text: Callable[[str, bytes], None] | None = None,
    data: OwnData | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run every port of `config`, write results.json atomically, return it. data: the user's own counts.

    One port: its error is raised as it is. Several: a board that fails becomes an entry with `error`, the others go on.
    Raises QcsError if another run holds `out` and the journals beside it.
    """
    runs = [
        Run(
            target.port, config if target.baud is None else config.model_copy(update={"baud": target.baud}),
            journal_path(out, number), resume, partial(progress, target.label),
            on_text and partial(on_text, target.label), target.label,
            data,
        )
        for number, target in enumerate(targets or _targets(config.port))
    ]  # fmt: skip
    with locked(out):
        outcomes = _run_all(codec, runs)
        entries = [_entry(run, outcomes[n], len(runs) == 1) for n, run in enumerate(runs)]
        results = results_of(codec, config, entries, data=data)
        write_results(out, results)
        for number, outcome in outcomes.items():
            if not isinstance(outcome, Exception):
                remove_file(journal_path(out, number))
    return results


def _run_all(codec: Codec, runs: list[Run]) -> dict[int, dict[str, Any] | Exception]:
    """Run all boards at once; return what came of each, by number."""
    outcomes: dict[int, dict[str, Any] | Exception] = {}

    def work(number: int) -> None:
        try:
            outcomes[number] = run_device(codec, runs[number])
        except Exception as error:
            outcomes[number] = error

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)  # lets Ctrl-C through
    return outcomes


def _entry(run: Run, outcome: dict[str, Any] | Exception, alone: bool) -> dict[str, Any]:
    """Return a board's entry of `devices`; raise its error if it was alone, or if the error is none of ours."""
    if not isinstance(outcome, Exception):
        return outcome
    if alone or not isinstance(outcome, QcsError):
        raise outcome
    return {"port": run.port, "label": run.label, "error": str(outcome)}


def _targets(ports: list[str]) -> list[Target]:
    twice = [port for port in ports if ports.count(port) > 1 and not port.startswith("emu:")]
    if twice:
        raise QcsError(f"port '{twice[0]}' is named twice")
    labels = [port if ports.count(port) == 1 else f"{port} #{number + 1}" for number, port in enumerate(ports)]
    return [Target(port, label) for port, label in zip(ports, labels, strict=True)]


def journal_path(out: Path, number: int) -> Path:
    """Return where the answers of port number `number` are kept until the results are complete."""
    return out.with_name(f"{out.name}.{number}.partial")


def write_results(path: Path, results: dict[str, Any]) -> None:
    """Write results as JSON, all or nothing."""
    write_text(Path(path), json.dumps(results, indent=1, allow_nan=False) + "\n")
