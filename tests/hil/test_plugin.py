"""The pytest plugin, run as a user runs it; the example file of docs/hil.md runs as shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from qcskit.codec.interface import Codec

DOCS = Path(__file__).parents[2] / "docs" / "hil.md"


def run_pytest(folder: Path, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "qcskit.hil.plugin", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env={**env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


def example() -> str:
    found = re.search(r"```python\n(# test_board.py\n.*?)```", DOCS.read_text(), re.S)
    assert found
    return found[1]


def test_the_example_of_the_guide_runs_as_shown(tmp_path: Path, codec: Codec, source_env: dict[str, str]) -> None:
    text = example()
    assert len([line for line in text.splitlines() if line.strip()]) <= 14
    (tmp_path / "test_board.py").write_text(text)
    done = run_pytest(tmp_path, source_env, "--qcs-bundle", str(codec.bundle.path), "-rs")
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 skipped" in done.stdout
    assert "needs a board on a serial port" in done.stdout


@pytest.mark.parametrize(("port", "told"), [("", "1 passed"), ("/dev/none", "cannot open port '/dev/none'")])
def test_the_ini_file_says_what_the_options_say(
    tmp_path: Path, codec: Codec, source_env: dict[str, str], port: str, told: str
) -> None:
    """A bundle is found from where the file is; an option wins over its key."""
    (tmp_path / "bundle").symlink_to(codec.bundle.path)
    (tmp_path / "below").mkdir()
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nqcs_bundle = bundle\nqcs_port = {port}\nqcs_board = none\n")
    (tmp_path / "below" / "test_it.py").write_text("def test_it(qcs_device): assert qcs_device")
    done = run_pytest(tmp_path / "below", source_env, "--qcs-board", "native")
    assert told in done.stdout


FAILING = """
def test_that_fails(qcs_device, qcs_bundle):
    packets, ticks = qcs_device.encode(qcs_bundle.vectors["input"][:3])
    assert len(packets) == -1
"""


def test_a_failing_test_shows_the_transcript(tmp_path: Path, codec: Codec, source_env: dict[str, str]) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    done = run_pytest(tmp_path, source_env, "--qcs-bundle", str(codec.bundle.path))
    assert done.returncode == 1
    assert re.search(r"- qcs link -.*> ENCODE seq \d+ vectors 0 to 2.*< RESULT seq", done.stdout, re.S), done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [((), "give the bundle: pytest --qcs-bundle"), (("--qcs-bundle", "none"), "bundle 'none' does not exist"),
     (("--qcs-bundle", "BUNDLE", "--qcs-port", "/dev/none"), "cannot open port '/dev/none'"),
     (("--qcs-bundle", "BUNDLE", "--qcs-baud", "fast"), "--qcs-baud fast: expected a line rate such as 115200")],
)  # fmt: skip
def test_wrong_use_is_one_line(
    tmp_path: Path, codec: Codec, source_env: dict[str, str], arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    done = run_pytest(tmp_path, source_env, *(a.replace("BUNDLE", str(codec.bundle.path)) for a in arguments))
    assert done.returncode == 1
    assert told in done.stdout
    assert "Traceback" not in done.stdout


def test_the_plugin_loads_nothing_heavy() -> None:
    code = "import sys, qcskit.hil.plugin as p; print([m for m in ('numpy', 'serial', 'pydantic') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "[]"
