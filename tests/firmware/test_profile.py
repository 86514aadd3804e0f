"""Profiles: layers add up to the encode, estimates follow the published timings, AVR cycles agree with its timer."""

import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from support.bundles import learned_bundle
from support.need import need_board
from support.tables import c_dir, packed_of, random_tables
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.firmware import build, count, start
from qcskit.firmware.boards import boards
from qcskit.firmware.cores import M0, M0PLUS, M4_HIGH, M4_LOW
from qcskit.firmware.counting import Counts, Place
from qcskit.firmware.cycles import _cycles
from qcskit.firmware.profile import Profile, Share, _cycles_source, _function, _share, flame_svg, profile
from qcskit.firmware.protocol.messages import Answers
from qcskit.firmware.protocol.wire import encode_packets
from qcskit.firmware.symbols import Symbol

TABLES = random_tables(np.random.default_rng(1), [10, 20, 15, 10], 4)
X = np.random.default_rng(2).integers(-128, 128, (6, 10), np.int8)
MODEL = c_dir("demo", TABLES)


def test_layers_and_functions_add_up() -> None:
    board = need_board("cortex-m4")
    # The plain kernel, which loads every weight and activation once per product.
    result = profile(count(board, MODEL, "demo", X, extra_flags=("-DQCS_PLAIN",)))
    assert [layer.name for layer in result.layers] == [
        "call",
        "int8 dense 1",
        "int8 dense 2",
        "int8 last",
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


@pytest.mark.parametrize("cycles", [None, np.array([9, 9, 9])])
def test_accesses_are_told_where_they_are_counted_and_cycles_where_those_are(
    cycles: np.ndarray | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qcskit.firmware.profile.estimate_cycles", lambda *_: (30, 60))
    answers = Answers(np.zeros((3, 1), np.uint8), np.ones(3, np.int64), np.zeros(3, np.uint32))
    counts = Counts(boards()["cortex-m4"], Path(), np.array([4, 4, 4]), cycles, answers, (), ())
    share = _share(counts, "x", [Place(0, 2, 0, 6, 9, 12, 3, 15), Place(2, 2, 0, 6, 0, 3, 0, 0)])
    assert (share.instructions, share.taken, share.cycles_low, share.cycles_high) == (4, 1, 10, 20)
    assert (share.loads, share.stores, share.cycles) == ((3, 5, None) if cycles is None else (None, None, 5))


@pytest.mark.parametrize(
    ("board", "cycles", "told"),
    [
        ("uno", np.array([9]), "are those of the simulated core"),
        ("cortex-m4", None, "are estimated; low: "),
        ("rv32", None, "were not measured: QEMU models none, and there is no cost table for this core"),
    ],
)
def test_it_is_told_whence_cycles_are(board: str, cycles: np.ndarray | None, told: str) -> None:
    counts = Counts(boards()[board], Path(), np.array([4]), cycles, Answers(*3 * [np.zeros(1, np.uint8)]), (), ())
    assert _cycles_source(counts).startswith(told)


def test_an_address_that_no_symbol_holds_is_of_the_compiler_s_library() -> None:
    symbols = (Symbol("first", 16, 4), Symbol("second", 24, 4))
    assert [_function(symbols, pc) for pc in (16, 19, 24, 27)] == ["first", "first", "second", "second"]
    assert {_function(symbols, pc) for pc in (15, 20, 23, 28)} == {"compiler's library"}


def test_every_box_of_the_picture_stands_below_its_own_and_is_as_wide_as_it_is_heavy() -> None:
    def share(name: str, instructions: float) -> Share:
        return Share(name, instructions, None, None, 0.0, None, None, None)

    layers = (share("call", 100.0), share("dense", 600.0), share("last", 300.0))
    tree = {"call": {"encode": 100.0}, "dense": {"mac": 450.0, "tanh": 150.0}, "last": {"mac": 200.0, "pack": 100.0}}
    made = Profile("m4", "Cortex-M4", 8, 1, 2, share("encode", 1000.0), layers, (), tree, "")
    root = ElementTree.fromstring(flame_svg(made, width=500, row=10))
    tag = "{http://www.w3.org/2000/svg}"
    boxes = [(group.findtext(f"{tag}title"), group.find(f"{tag}rect")) for group in root.iter(f"{tag}g")]
    found = [(told, *(float(box.get(key, "nan")) for key in ("x", "y", "width", "height"))) for told, box in boxes
             if box is not None]  # fmt: skip
    assert sorted(found, key=lambda box: (box[2], box[1])) == [
        ("encode on Cortex-M4: 1,000 instructions (100.0 %)", 0, 0, 500, 8),
        ("call: 100 instructions (10.0 %)", 0, 10, 50, 8),
        ("dense: 600 instructions (60.0 %)", 50, 10, 300, 8),
        ("last: 300 instructions (30.0 %)", 350, 10, 150, 8),
        ("encode: 100 instructions (10.0 %)", 0, 20, 50, 8),
        ("mac: 450 instructions (45.0 %)", 50, 20, 225, 8),
        ("tanh: 150 instructions (15.0 %)", 275, 20, 75, 8),
        ("mac: 200 instructions (20.0 %)", 350, 20, 100, 8),
        ("pack: 100 instructions (10.0 %)", 450, 20, 50, 8),
    ]


def test_counts_of_adc_input_include_the_front_end() -> None:
    board = need_board("cortex-m4")
    counts = np.random.default_rng(3).integers(-3000, 3000, (3, 10)).astype(np.int16)
    run = count(board, MODEL, "demo", counts)
    assert run.phases[1] == "qcs_int8_input_step"
    assert np.array_equal(run.answers.rows, packed_of(TABLES, counts))


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


def test_avr_cycles_from_outside_agree_with_its_own_timer() -> None:
    board = need_board("avr")
    run = count(board, MODEL, "demo", X)
    assert run.cycles is not None
    assert np.array_equal(run.answers.rows, packed_of(TABLES, X))
    with start(board, build(board, MODEL, "demo")) as emulator:
        answers = encode_packets(emulator.url, X)
    assert np.array_equal(answers.rows, run.answers.rows)
    # The timer's reading costs some cycles itself, and so do its overflow interrupts.
    assert np.all((answers.ticks >= run.cycles) & (answers.ticks < run.cycles + 400))
    total = profile(run).total
    assert total.cycles == pytest.approx(run.cycles.mean())


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs a C compiler: sudo apt-get install gcc")
def test_the_command_prints_layers_and_writes_the_picture(tmp_path: Path) -> None:
    need_board("cortex-m4")
    learned_bundle(tmp_path / "b")
    picture = tmp_path / "flame.svg"
    done = CliRunner().invoke(
        build_app(), ["profile", str(tmp_path / "b"), "--board", "cortex-m4", "-n", "3", "--svg", str(picture)]
    )
    assert done.exit_code == 0, done.output
    assert "int8 last" in done.output
    assert "estimated" in done.output
    assert picture.read_text().startswith("<svg")
