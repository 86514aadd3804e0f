"""How the command ends: 0 done, 1 a check failed, 2 wrong use or input, 70 a defect, 130 broken off, 141 unread."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Made, Run, refused
from support.entries import entry, failed, results

from qcskit.cli import main
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.firmware_sim.verdict import read_verdict

BROKEN_ROOM = """
from qcskit.codec.config import Table
METHODS, TABLES = ("broken",), {"broken": Table}
def chosen(method): return {}
def design(out, tables, export): return 1 // 0
"""
REGISTER = """
from qcskit.cli import main
from qcskit.codec.codecs import Family, register
register(Family("broken", 201, "it has a fault", "broken", "broken_room", "broken_room"))
main()
"""


def test_a_defect_shows_its_traceback_and_asks_for_a_report(tmp_path: Path, run: Run) -> None:
    """A family from outside whose designer divides by zero."""
    (tmp_path / "broken_room.py").write_text(BROKEN_ROOM)
    done = run("design", "broken", start=("-c", REGISTER))
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert 'broken_room.py", line 5, in design' in done.stderr
    assert done.stderr.splitlines()[-1] == "a defect of qcskit: please report it, with the command and these lines"
    assert done.stdout == ""


def test_a_user_error_of_that_family_is_none(tmp_path: Path, run: Run) -> None:
    (tmp_path / "broken_room.py").write_text(BROKEN_ROOM)
    refused(run("design", "broken", "-s", "broken.key=1", start=("-c", REGISTER)), "unknown key 'key' in [broken]")


@pytest.mark.skipif(os.name != "posix" or not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_no_defect(tmp_path: Path, source_env: dict[str, str], made: Made) -> None:
    (tmp_path / "x.bin").symlink_to("/dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "qcskit.cli",
                "decode",
                str(made("classical")),
                str(made("classical") / "vectors.npz"),
                "-q",
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=120,
            env=source_env,
        )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: [Errno 28]")


def test_a_check_that_fails_exits_with_1(tmp_path: Path, run: Run, made: Made) -> None:
    """One board absent: the run is complete, its verdict is not good."""
    refused(run("hil", str(made("int8")), "-p", "/dev/ttyNONE9", "-q"), "does not exist", code=2)
    (tmp_path / "a.json").write_text(json.dumps(results(entry(label="a"))))
    (tmp_path / "b.json").write_text(json.dumps(results(failed("a"))))
    assert run("compare", "a.json", "b.json").returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
@pytest.mark.parametrize("words", ["boards", "boards --json", "--help", "--version", "train --help"])
def test_output_that_nobody_reads_is_no_failed_check(words: str, source_env: dict[str, str]) -> None:
    """As with `| head`: Typer and Rich would both end with 1."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "qcskit.cli", *words.split()]
    environment = source_env | {"PYTHONUNBUFFERED": ""}  # as users have it: something is left in a buffer
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


SAVING = """
from qcskit.cli import main
from qcskit.firmware_sim import run
run._SAVE_EVERY_S = 0.0
main()
"""
"""A simulation saves its verdict after each chunk, so that the test sees early that it runs."""


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT acts in a child. What a script starts in its background has it ignored, and would pass that on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.usefixtures("heard")
def test_control_c_is_one_word_and_130(tmp_path: Path, source_env: dict[str, str], made: Made) -> None:
    command = [sys.executable, "-c", SAVING, "simulate", str(made("classical")), "-n", "50000000", "-j", "1",
               "-o", "verdict.json"]  # fmt: skip
    child = subprocess.Popen(command, cwd=tmp_path, env=source_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "verdict.json").exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == 130, errors
    assert errors.splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors
    assert not read_verdict(tmp_path / "verdict.json").complete


@pytest.mark.parametrize("raised", ["EOFError", "EOFError('No data left in file')"])
def test_an_input_that_ends_early_is_one_line(tmp_path: Path, run: Run, raised: str) -> None:
    """Typer says "Aborted." to it, with 1: no reason, and the code of a check that failed."""
    (tmp_path / "broken_room.py").write_text(BROKEN_ROOM.replace("return 1 // 0", f"raise {raised}"))
    done = run("design", "broken", start=("-c", REGISTER))
    refused(done, "something that was read ended early", "is a file cut short")
    assert ("No data left in file" in done.stderr) == ("No data" in raised)
    assert "Aborted" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "last"),
    [
        (QcsError("what,\nwhere"), 2, "error: what, where"),
        (CheckFailedError("no"), 1, "error: no"),
        *(
            (OSError(number, "no"), 2, f"error: [Errno {number}] no")
            for number in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        ),
        (OSError(errno.ENOENT, "no"), 70, None),
        (ValueError("no"), 70, None),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_every_error_has_its_exit_code_and_its_last_line(
    error: BaseException,
    code: int,
    last: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr("qcskit.cli.build_app", lambda: fails)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == (last or "a defect of qcskit: please report it, with the command and these lines")
    assert ("Traceback (most recent call last):" in lines) == (last is None)
    assert len(lines) == 1 or last is None
