"""No encoder costs more than benchmarks/expected.json says: a cheap part of the benchmark, and what its guard says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import expected
from support.need import need_board

ROOT = Path(__file__).parents[2]
CASE = "Cortex-M4, 10-50-10"


def test_the_small_encoder_costs_no_more_than_expected() -> None:
    for board in ("cortex-m0", "cortex-m4"):
        need_board(board)
    command = [sys.executable, str(ROOT / "benchmarks" / "encoder_cost.py"), "--quick", "--check",
               "--core", "Cortex-M0+,Cortex-M4", "--kernel", "fast"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "6 figures compared, 0 worse" in done.stdout or "other compiler, not compared" in done.stdout


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(expected, "compilers", lambda cases: {"arm-none-eabi-gcc": "gcc 1"})
    path = tmp_path / "expected.json"
    expected.accept({CASE: {"instructions, fast": 1000.0, "stack, fast": 128}}, path)
    return path


def test_one_percent_is_allowed_and_more_is_named(known: Path) -> None:
    assert expected.compare({CASE: {"instructions, fast": 1010.0, "stack, fast": 100}}, known).worse == []
    found = expected.compare({CASE: {"instructions, fast": 1011.0, "stack, fast": 128}}, known)
    assert (found.compared, found.other) == (2, [])
    assert found.worse == [f"{CASE}: instructions, fast 1011, expected 1000 (+1.1%)"]


def test_a_figure_without_an_expected_one_is_named(known: Path) -> None:
    found = expected.compare({CASE: {"flash, fast": 1.0}}, known)
    assert found.worse == [f"{CASE}: flash, fast 1, no figure expected; run encoder_cost.py --accept"]


def test_another_compiler_is_not_compared(known: Path) -> None:
    content = json.loads(known.read_text())
    content["compilers"]["arm-none-eabi-gcc"] = "gcc 2"
    known.write_text(json.dumps(content))
    found = expected.compare({CASE: {"instructions, fast": 9999.0}}, known)
    assert (found.compared, found.worse) == (0, [])
    assert found.other == ["arm-none-eabi-gcc: other compiler, not compared (gcc 1; expected gcc 2)"]
