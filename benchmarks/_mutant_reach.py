"""Which test reaches which line, commands in other processes included: sitecustomize of mutation.py's copies."""

import os
import sys
from pathlib import Path

FOLDER = "QCSKIT_MUTATION_REACH"


class Trace:
    """What this process and its forks execute of the copy, by test; the test's name stands in a file for them."""

    def __init__(self, folder: Path) -> None:
        import coverage

        root = Path(__file__).resolve().parents[1]
        self.name, self.read, self.firmware = folder / "test", folder / "read", f"{root / 'firmware'}{os.sep}"
        self.seen: set[tuple[str, str]] = set()
        self.coverage = coverage.Coverage(
            str(folder / "reach"), data_suffix=True, include=[f"{root}/*/qcskit/*"], config_file=False, messages=False
        )
        self.coverage.set_option("run:disable_warnings", ["no-data-collected", "module-not-measured"])
        self.coverage.set_option("run:patch", ["_exit"])
        self.coverage.start()
        self.follow()
        os.register_at_fork(after_in_child=self.follow)
        sys.addaudithook(self.opened)

    def switch(self, test: str) -> None:
        """From here on it is this test."""
        self.test = test
        self.name.write_text(test)
        self.coverage.switch_context(test)

    def follow(self) -> None:
        """Take the test that runs: this process belongs to it."""
        self.test = self.name.read_text()
        self.coverage.switch_context(self.test)

    def opened(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note the C file that is opened: it is compiled."""
        path = str(arguments[0]) if event == "open" else ""
        if path.startswith(self.firmware) and path.endswith(".c") and (path, self.test) not in self.seen:
            self.seen.add((path, self.test))
            with self.read.open("a") as file:
                file.write(f"{path}\t{self.test}\n")

    def save(self) -> None:
        """Write what was found."""
        self.coverage.stop()
        self.coverage.save()


def start(folder: Path) -> Trace:
    """Begin, here and in all processes that this one starts."""
    os.environ[FOLDER] = str(folder)
    for name in ("test", "read"):
        (folder / name).touch()
    return Trace(folder)


if FOLDER in os.environ:
    Trace(Path(os.environ[FOLDER]))
