"""A firmware that cannot be built says what is missing, or what the board lacks for it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.need import need_board
from support.tables import c_dir, random_tables

from qcskit.firmware import DoesNotFitError, FirmwareError, build

MODEL = c_dir("demo", random_tables(np.random.default_rng(7), [10, 50, 10], 8))


def test_a_folder_without_the_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(FirmwareError, match=rf"^'{tmp_path}' holds no qcs_model_demo\.h; run 'qcskit export' again$"):
        build("native", tmp_path, "demo")


def test_memory_that_leaves_no_stack_is_too_little() -> None:
    """What links may still not run; with what it asks for, it is built."""
    board = need_board("native")
    with pytest.raises(DoesNotFitError) as caught:
        build(replace(board, ram_bytes=1000), MODEL, "demo")
    told = r"board 'native' cannot hold this model: needs ([\d,]+) bytes of RAM and (\d+) of stack, has 1,000"
    asked = re.fullmatch(told, str(caught.value))
    assert asked
    least = sum(int(number.replace(",", "")) for number in asked.groups())
    assert build(replace(board, ram_bytes=least), MODEL, "demo").is_file()
    with pytest.raises(DoesNotFitError):
        build(replace(board, ram_bytes=least - 1), MODEL, "demo")
