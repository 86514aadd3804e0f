"""Several boards at once: one thread per port, one results file."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qcskit.codec.bundle import Bundle, write_file
from qcskit.codec.errors import QcsError
from qcskit.hil.config import HilConfig
from qcskit.hil.session import Run, results_of, run_device

FleetProgress = Callable[[str, str, int, int], None]
"""progress(board's label, stage, done, total)"""


def run_fleet(
    bundle: Bundle, config: HilConfig, *, out: Path, resume: bool, progress: FleetProgress,
    labels: dict[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run every port of `config`, write results.json atomically, return it.

    One port: its error is raised as it is. Several: a board that fails becomes an entry with `error`, the others go on.
    """
    ports = config.port
    if len(set(ports)) != len(ports) and not all(port.startswith("emu:") for port in ports):
        raise QcsError(f"a port is named twice: {', '.join(ports)}")
    names = [(labels or {}).get(port, port) for port in ports]
    names = [name if names.count(name) == 1 else f"{name} #{i + 1}" for i, name in enumerate(names)]
    entries: list[dict[str, Any] | None] = [None] * len(ports)
    errors: list[Exception | None] = [None] * len(ports)

    def work(number: int) -> None:
        label = names[number]
        run = Run(
            ports[number], config, journal_path(out, number), resume, label=label,
            progress=lambda stage, done, total: progress(label, stage, done, total),
        )  # fmt: skip
        try:
            entries[number] = run_device(bundle, run)
        except Exception as error:
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
