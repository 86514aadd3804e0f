"""The examples of docs/porting.md compile against the agent as it is (and stand-ins for the vendors' headers)."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.tables import c_dir, random_tables

from qcskit.firmware import sources
from qcskit.firmware.host import WARNINGS

HERE = Path(__file__).parent
GUIDE = (HERE.parents[1] / "docs" / "porting.md").read_text(encoding="utf-8")
SECTIONS = [section.partition("\n") for section in GUIDE.split("\n## ")[1:]]
EXAMPLES = [(title, text.split("```c\n")[1].split("```")[0]) for title, _, text in SECTIONS if "```c\n" in text]


def test_the_guide_has_its_examples() -> None:
    assert [title for title, _code in EXAMPLES] == [
        "Any board, polled", "STM32, HAL", "STM32, LL", "RP2040, pico-sdk", "nRF52, registers", "ESP32, ESP-IDF",
    ]  # fmt: skip


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _code in EXAMPLES])
def test_example_compiles(title: str, code: str, tmp_path: Path) -> None:
    model = c_dir("demo", random_tables(np.random.default_rng(1), [10, 20, 10], 4))
    (tmp_path / "example.c").write_text(code)
    root = sources()
    places = (root / "include", root / "app", HERE / "vendor_stubs", model)
    command = ["gcc", "-std=c11", *WARNINGS, *(f"-I{place}" for place in places), "-fsyntax-only"]
    done = subprocess.run([*command, str(tmp_path / "example.c")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_polled_example_is_a_board_in_thirty_lines() -> None:
    lines = [line for line in EXAMPLES[0][1].splitlines() if line.strip()]
    assert len(lines) <= 35
