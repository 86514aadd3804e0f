"""Several boards at once: one thread per port, one results file."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qcskit.codec.bundle import Bundle, write_file
from qcskit.codec.errors import QcsError
from qcskit.hil.config import HilConfig
from qcskit.hil.ports import Target
from qcskit.hil.session import Run, results_of, run_device

FleetProgress = Callable[[str, str, int, int], None]
"""progress(board's label, stage, done, total)"""


def run_fleet(
    bundle: Bundle, config: HilConfig, *, out: Path, resume: bool, progress: FleetProgress,
    targets: list[Target] | None = None, on_text: Callable[[str, bytes], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run every port of `config`, write results.json atomically, return it.

    One port: its error is raised as it is. Several: a board that fails becomes an entry with `error`, the others go on.
    """
    targets = targets or _targets(config.port)
    ports, names = [target.port for target in targets], [target.label for target in targets]
    entries: list[dict[str, Any] | None] = [None] * len(ports)
    errors: list[Exception | None] = [None] * len(ports)

    def work(number: int) -> None:
        label = names[number]
        baud = targets[number].baud
        ours = config if baud is None else config.model_copy(update={"baud": baud})
        run = Run(
            ports[number], ours, journal_path(out, number), resume, label=label,
            progress=lambda stage, done, total: progress(label, stage, done, total),
            on_text=None if on_text is None else lambda text: on_text(label, text),
        )  # fmt: skip
        before = _changed_ns(journal_path(out, number))
        try:
            entries[number] = run_device(bundle, run)
        except Exception as error:
            if _changed_ns(journal_path(out, number)) != before and error.args:
                error.args = (f"{error}; answers so far are kept, go on with --resume", *error.args[1:])
            errors[number] = error

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(ports))]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)  # lets Ctrl-C through
    for number, error in enumerate(errors):
        if error is not None:
            if len(ports) == 1 or not isinstance(getattr(error, "exit_code", None), int):
                raise error
            entries[number] = {"port": ports[number], "label": names[number], "error": str(error)}
    results = results_of(bundle, config, [entry for entry in entries if entry is not None])
    write_results(out, results)
    for entry in results["devices"]:
        if "error" not in entry:
            Path(entry.pop("journal")).unlink(missing_ok=True)
    return results


def _changed_ns(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.is_file() else None


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
    cleaned = {**results, "devices": [{k: v for k, v in e.items() if k != "journal"} for e in results["devices"]]}
    text = json.dumps(cleaned, indent=1, allow_nan=False) + "\n"

    def write(staging: Path) -> None:
        staging.write_text(text, encoding="utf-8")

    write_file(Path(path), write)
