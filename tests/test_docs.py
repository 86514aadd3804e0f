"""README and the pages of docs/ as they are printed: every block is run, and what it shows is compared.

Each page is followed from its beginning in a folder of its own, in which `make demo` has been run. Trainings are short,
and a board that nobody has is the emulated board `native`: SHORTER says what is said instead.
"""

import doctest
import io
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.need import need_tool

from qcskit.cli import main
from qcskit.cli.common import load
from qcskit.codec import open_codec
from qcskit.codec.config import tables

ROOT = Path(__file__).parents[1]
BLOCKS = runpy.run_path(str(ROOT / "docs" / "blocks.py"))
PAGES, blocks = BLOCKS["PAGES"], BLOCKS["blocks"]
TRAINING = (
    "--steps 20 -s train.warmup_steps=2 -s train.batch=64 -s train.test_frames=200 -s train.validation_frames=200 "
    "-s train.decoder_widths=[16]"
)
EXPORT = (
    "-s export.max_loss_db=99 -s export.calibration_frames=500 -s export.finetune_steps=0 -s export.test_windows=300"
)
SHORTER: dict[str, str] = {
    r"^qcskit demo\b": f"qcskit demo -p emu:native {TRAINING} {EXPORT} -s simulate.vectors=300 "
    "-s simulate.oracle_vectors=100 -s simulate.reported_vectors=0 -s hil.vectors=100",
    r"--example\b": "-s simulate.oracle_vectors=0 --example",  # the definition in Python takes 10 s for every count
    r"^qcskit train\b": f"qcskit train {TRAINING}",
    r"^qcskit export\b(?!.* --c)": f"qcskit export {EXPORT}",
    r"^qcskit design\b": "qcskit design -s export.test_frames=100 -s export.golden_frames=16",
    r"^qcskit simulate\b(?!.*(-n|--vectors) )": "qcskit simulate -n 300 --oracle-vectors 100 --reported-vectors 0",
    r"^qcskit hil\b(?!.*(--vectors|--data|--soak) )": "qcskit hil --vectors 100",
    r"/dev/tty\w+|emu:cortex-m4": "emu:native",
}
"""Pattern in a command → what takes its place, one after the other: short trainings, and boards that are here."""
LESS_PYTHON = {"epochs=30": "epochs=1", "(6000, 3)": "(700, 3)", "x[:5000], x[5000:]": "x[:500], x[500:]",
               "finetune_steps=1000": "finetune_steps=20", "emu:cortex-m4": "emu:native"}  # fmt: skip
"""The same in Python."""
RADIO = "#include <stdint.h>\nvoid radio_send(const uint8_t *bytes, uint16_t length);\n"
"""What the C of the pages has around it."""
DEMO = ("make demo", "qcskit demo")
"""What was run before a page is opened: its output is at hand."""
RUNS_THIS = "make test"
FOLLOWED_ELSEWHERE = {"sensor"}
"""Pages with a test of their own, test_docs_PAGE.py, that looks at more."""


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory, source_env: dict[str, str]) -> dict[str, str]:
    """The environment in which `python` and `qcskit` are this checkout's."""
    folder = tmp_path_factory.mktemp("bin")
    for name, call in {"python": "", "qcskit": " -m qcskit.cli", "pytest": " -m pytest"}.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{call} "$@"\n')
        (folder / name).chmod(0o755)
    return {**source_env, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}


@dataclass(frozen=True)
class Demo:
    """A folder in which `make demo` was run, in small, and what that printed."""

    folder: Path
    printed: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Run it once for all pages."""
    pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
    need_tool("gcc", "gcc")
    need_tool("bash", "bash")
    folder, printed = tmp_path_factory.mktemp("demo"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.chdir(folder)
        assert called(shorter("qcskit demo").split(), patch) == 0
    return Demo(folder, printed.getvalue())


def called(words: list[str], patch: pytest.MonkeyPatch) -> int:
    """Run the command line in this process and return its exit code."""
    patch.setattr(sys, "argv", words)
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def shorter(command: str) -> str:
    """Return what is run instead of a command on a page."""
    parts = re.split(r"(\s*(?:&&|\||;)\s*)", command)
    for number, part in enumerate(parts):
        for pattern, instead in SHORTER.items():
            part = re.sub(pattern, instead, part)
        parts[number] = part
    return "".join(parts)


class Reader:
    """Somebody who follows one page in one folder."""

    def __init__(self, demo: Demo, patch: pytest.MonkeyPatch, capture: Any, env: dict[str, str]) -> None:
        self.demo, self.patch, self.capture, self.env = demo, patch, capture, env
        self.space: dict[str, Any] = {"__name__": "__page__"}

    def follow(self, block: Any) -> None:
        """Do what a block says."""
        if block.file:
            Path(block.file).write_text(block.text, encoding="utf-8")
        if block.language == "python" and not block.file:
            text = block.text
            for long, short in LESS_PYTHON.items():
                text = text.replace(long, short)
            exec(compile("\n" * block.line + text, str(block.page), "exec"), self.space)
        elif block.language == "toml":
            understood(block)
        elif block.language == "c":
            compiled(block, self.env)
        for command, shown in block.commands:
            assert_shows(self.run(command, block.where), shown, block)

    def run(self, command: str, where: str) -> str:
        """Run a command and return what it printed."""
        if command in DEMO:
            return self.demo.printed
        if command == RUNS_THIS:
            return ""
        command = shorter(command.removeprefix(".venv/bin/"))
        if words := BLOCKS["program"](command):
            self.capture.readouterr()
            code = called(words, self.patch)
            printed, errors = self.capture.readouterr()
        else:
            done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], env=self.env, capture_output=True,
                                  text=True, errors="replace", check=False, timeout=120)  # fmt: skip
            code, printed, errors = done.returncode, done.stdout, done.stderr
        assert code == 0, f"{where}: {command}\n{printed}{errors}"
        return str(printed)


def assert_shows(printed: str, shown: str, block: Any) -> None:
    """Check what a command printed against what the page shows."""
    if not shown:
        return
    if block.varies:
        printed, shown = (without_numbers(text) for text in (printed, shown))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(shown.replace("…", "..."), printed, flags), f"{block.where}\n{printed}"


def without_numbers(text: str) -> str:
    """Return a text whose numbers are all 0, of no board, and whose tables are as wide as any other."""
    text = re.sub(r"emu:[\w-]+", "emu", re.sub(r"\b(µs|instructions|cycles)", "ticks", text))
    return re.sub(r"([─━])+", r"\1", re.sub(r"[-−+]?\d[\d,.]*", "0", text))


def understood(block: Any) -> None:
    """Check that each table of a configuration says what its command understands."""
    file = Path("a_page.toml")
    file.write_text(block.text, encoding="utf-8")
    for name in tomllib.loads(block.text):
        if name in tables():
            load(name, file, [])


def compiled(block: Any, env: dict[str, str]) -> None:
    """Compile C against the headers of every bundle of the folder, and those of vendors that the tests stand in for."""
    folders = {str(path.parent) for path in Path().rglob("qcs_*.h")}
    own = [ROOT / "firmware" / "include", ROOT / "firmware" / "app", ROOT / "tests" / "firmware" / "vendor_stubs"]
    file = Path("block.c")
    file.write_text(RADIO + block.text)
    command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", str(file)]
    places = [f"-I{place}" for place in (*own, *sorted(folders))]
    done = subprocess.run([*command, *places], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, f"{block.where}\n{done.stderr}"


DRIVER = """
#include <stdio.h>
#include "qcs_demo.h"
void radio_send(const uint8_t *bytes, uint16_t length) { fwrite(bytes, 1, length, stdout); }
void send_window(const qcs_demo_counts_t *counts);
int main(void) {
  qcs_demo_counts_t counts;
  while (fread(&counts, sizeof counts, 1, stdin) == 1) send_window(&counts);
  return 0;
}
"""


def test_the_c_of_the_readme_sends_what_the_host_sends(demo: Demo, tmp_path: Path, programs: dict[str, str]) -> None:
    codec, library = open_codec(demo.folder / "runs" / "demo" / "bundle"), tmp_path / "library"
    with pytest.MonkeyPatch.context() as patch:
        assert called(["qcskit", "package", str(codec.bundle.path), "--to", "plain", "-o", str(library)], patch) == 0
    (shown,) = (block for block in blocks(ROOT / "README.md") if block.language == "c")
    (tmp_path / "page.c").write_text(RADIO + shown.text)
    (tmp_path / "driver.c").write_text(DRIVER)
    sources = [str(file) for file in (library / "src").rglob("*.c")]
    build = ["gcc", "-std=c11", "-Werror", "-o", "node", "page.c", "driver.c", *sources, f"-I{library / 'include'}"]
    subprocess.run(build, cwd=tmp_path, env=programs, check=True, timeout=60)
    counts = codec.bundle.vectors["counts"]
    node = subprocess.run([str(tmp_path / "node")], input=counts.tobytes(), capture_output=True, check=True, timeout=60)
    assert node.stdout == codec.encode_counts(counts).bytes.tobytes()


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem not in FOLLOWED_ELSEWHERE], ids=lambda page: page.stem
)
def test_every_block_of_a_page_does_what_the_page_says(
    page: Path, demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, programs: dict[str, str]
) -> None:
    run = [block for block in blocks(page) if block.language in BLOCKS["RUN"] and not block.reason]
    if not run:
        return
    shutil.copytree(demo.folder / "runs", tmp_path / "runs")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    reader = Reader(demo, monkeypatch, capfd, programs)
    for block in run:
        reader.follow(block)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    left_out = [block for block in BLOCKS["every_block"]() if block.reason]
    assert len(left_out) <= BLOCKS["MOST_REASONS"], [block.where for block in left_out]
    assert all(len(block.reason) > 20 for block in left_out)


def test_no_command_stands_outside_of_a_block() -> None:
    assert {page.name: strays for page in PAGES if (strays := BLOCKS["strays"](page))} == {}


def test_a_reader_notices_what_is_not_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- other figures: none -->\n```console\n$ echo 7 of 8\n6 of 9\n```\n\n    qcskit boards\n")
    (block,) = blocks(page)
    assert_shows("7 of 8\n", block.commands[0][1], block)
    with pytest.raises(AssertionError):
        assert_shows("7 or 8\n", block.commands[0][1], block)
    assert BLOCKS["strays"](page) == ["qcskit"]
