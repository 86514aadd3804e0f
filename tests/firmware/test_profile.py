"""Profiles: layers add up to the encode, estimates follow the published timings, AVR cycles agree with its timer."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from model_text import write_model
from random_models import random_tables
from test_boards import need
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec import integer
from qcskit.firmware import build, count, find_board, start
from qcskit.firmware.counting import Place
from qcskit.firmware.cycles import M0, M0PLUS, M4_HIGH, M4_LOW, _cycles
from qcskit.firmware.profile import flame_svg, profile
from qcskit.firmware.wire import encode_vectors

TABLES = random_tables(np.random.default_rng(1), [10, 20, 15, 10], 4)
X = np.random.default_rng(2).integers(-128, 128, (6, 10), np.int8)
BUNDLE = Path(__file__).parents[1] / "data" / "bundle"


@pytest.fixture(scope="module")
def c_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    write_model(path, "demo", TABLES)
    return path


def test_layers_and_functions_add_up(c_dir: Path) -> None:
    board = need(find_board("cortex-m4"))
    # The plain kernel, which loads every weight and activation once per product.
    result = profile(count(board, c_dir, "demo", X, extra_flags=("-DQCS_PLAIN",)))
    assert [layer.name for layer in result.layers] == [
        "call",
        "hidden layer 1",
        "hidden layer 2",
        "last layer, packing",
    ]
    for parts in (result.layers, result.functions):
        assert sum(part.instructions for part in parts) == pytest.approx(result.total.instructions)
        assert sum(part.loads or 0 for part in parts) == pytest.approx(result.total.loads)
    for layer in result.layers:
        assert sum(result.tree[layer.name].values()) == pytest.approx(layer.instructions)
    macs = [0, 10 * 20, 20 * 15, 15 * 10]
    assert all((layer.loads or 0) >= 2 * n for layer, n in zip(result.layers, macs, strict=True))
    assert result.total.cycles_low is not None
    assert result.total.instructions < result.total.cycles_low < (result.total.cycles_high or 0)
    assert flame_svg(result).count("<rect") == 1 + 4 + sum(len(functions) for functions in result.tree.values())


def test_counts_of_adc_input_include_the_front_end(c_dir: Path) -> None:
    board = need(find_board("cortex-m4"))
    counts = np.random.default_rng(3).integers(-3000, 3000, (3, 10)).astype(np.int16)
    run = count(board, c_dir, "demo", counts)
    assert run.phases[1] == "qcs_quantize"
    assert np.array_equal(run.packed, integer.encode_packed(TABLES, integer.quantize_counts(TABLES.front_end, counts)))


@pytest.mark.parametrize(
    ("mnemonic", "accesses", "taken", "m4", "m0"),
    [  # cycles (low, high) of one execution, from the manuals' tables
        ("adds", 0, 0, (1, 1), (1, 1)),
        ("muls", 0, 0, (1, 1), (1, 1)),
        ("smlad", 0, 0, (1, 1), None),
        ("ldrsb", 1, 0, (1, 2), (2, 2)),
        ("str", 1, 0, (1, 2), (2, 2)),
        ("ldmia", 4, 0, (5, 5), (5, 5)),
        ("ldrd", 2, 0, (3, 3), None),
        ("push", 5, 0, (6, 6), (6, 6)),
        ("pop", 5, 1, (7, 9), (8, 9)),
        ("bne", 0, 1, (2, 4), (2, 3)),
        ("bne", 0, 0, (1, 1), (1, 1)),
        ("bl", 0, 1, (2, 4), (3, 4)),
        ("bx", 0, 1, (2, 4), (2, 3)),
        ("cbz", 0, 1, (2, 4), None),
        ("itt", 0, 0, (0, 1), None),
    ],
)
def test_costs_are_the_manuals(
    mnemonic: str, accesses: int, taken: int, m4: tuple[int, int], m0: tuple[int, int] | None
) -> None:
    once = Place(0, 2, 0, 1, accesses, 0, taken)
    assert tuple(_cycles(table, mnemonic, once) for table in (M4_LOW, M4_HIGH)) == m4
    if m0:
        assert tuple(_cycles(table, mnemonic, once) for table in (M0PLUS, M0)) == m0


def test_avr_cycles_from_outside_agree_with_its_own_timer(c_dir: Path) -> None:
    board = need(find_board("avr"))
    run = count(board, c_dir, "demo", X)
    assert run.cycles is not None
    assert np.array_equal(run.packed, integer.encode_packed(TABLES, X))
    with start(board, build(board, c_dir, "demo")) as emulator:
        packed, ticks = encode_vectors(emulator.url, X)
    assert np.array_equal(packed, run.packed)
    # The timer's reading costs some cycles itself, and so do its overflow interrupts.
    assert np.all((ticks >= run.cycles) & (ticks < run.cycles + 400))
    total = profile(run).total
    assert total.cycles == pytest.approx(run.cycles.mean())


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler: sudo apt-get install gcc")
def test_the_command_prints_layers_and_writes_the_picture(tmp_path: Path) -> None:
    need(find_board("cortex-m4"))
    picture = tmp_path / "flame.svg"
    done = CliRunner().invoke(
        build_app(), ["profile", str(BUNDLE), "--board", "cortex-m4", "-n", "3", "--svg", str(picture)]
    )
    assert done.exit_code == 0, done.output
    assert "last layer, packing" in done.output
    assert "estimated" in done.output
    assert picture.read_text().startswith("<svg")
