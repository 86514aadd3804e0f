"""Tables that cannot work are refused in one line that names the table; nothing that passes overflows."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.transform import SHAPES, counts_of, transform_tables

from qcskit.codec.errors import QcsError
from qcskit.codec.transform.forward import accumulate, quantize, thresholds
from qcskit.codec.transform.tables import Tables, folded_products, take

LOSSY = ("centre", "stride", "rows", "max_bytes", "crc", "windows", "samples", "bits", "low")
FOLDED = [name for name, keys in SHAPES.items() if keys.get("basis") != "fast"]
NUMBERS = (*LOSSY, "fraction_bits", "accumulator_shift", "multiplier", "rounding", "index_shift")


@pytest.fixture(params=SHAPES)
def tables(request: pytest.FixtureRequest) -> Tables:
    return transform_tables(**SHAPES[request.param])


def taken(tables: Tables, **changed: Any) -> Tables:
    numbers = {name: changed.pop(name, getattr(tables, name)) for name in NUMBERS}
    arrays = {**tables.arrays, **changed}
    return take(numbers, {name: array for name, array in arrays.items() if array is not None})


def test_what_was_taken_is_what_was_there(tables: Tables) -> None:
    again = taken(tables)
    assert again.coder == tables.coder
    assert {name: array.tolist() for name, array in again.arrays.items()} == {
        name: array.tolist() for name, array in tables.arrays.items()
    }


@pytest.mark.parametrize("shape", FOLDED)
def test_folding_is_the_matrix(shape: str) -> None:
    """In any order of rows: what the blocks give is the product with full rows, symmetric in the way of their block."""
    tables = transform_tables(**SHAPES[shape])
    x = np.random.default_rng(0).integers(-32768, 32768, (50, tables.samples))
    assert np.array_equal(folded_products(tables, x), (x @ tables.matrix.T)[:, tables.positions])
    symmetric = (tables.matrix == tables.matrix[:, ::-1]).all(axis=1)
    assert (symmetric | (tables.matrix == -tables.matrix[:, ::-1]).all(axis=1)).all()
    assert np.array_equal(~symmetric[tables.positions][: tables.blocks[0, 1]], np.ones(tables.blocks[0, 1], bool))


@pytest.mark.parametrize("shape", FOLDED)
def test_full_scale_in_the_signs_of_a_row_stays_in_32_bits(shape: str) -> None:
    tables = transform_tables(**SHAPES[shape])
    signs = np.where(tables.matrix < 0, -32768, 32767) if tables.stride == 1 else None
    if signs is None:
        return
    wide = replace(tables, centre=0)
    counts = np.tile(signs, (1, tables.windows))
    acc = accumulate(wide, counts)
    assert np.abs(acc).max() < 2**31
    exact = [sum(int(w) * int(x) for w, x in zip(row, signs[k], strict=True)) for k, row in enumerate(tables.matrix)]
    assert (
        acc.reshape(len(signs), tables.windows, -1)[np.arange(len(signs)), 0, np.arange(len(signs))].tolist() == exact
    )


def test_counts_about_the_centre_are_saturated_not_wrapped() -> None:
    tables = transform_tables(centre=-20_000, bits=16, low=-32768)
    loud = np.full((1, tables.inputs), 32767)
    assert np.array_equal(accumulate(tables, loud), accumulate(replace(tables, centre=0), loud))


def test_thresholds_are_where_the_index_changes(tables: Tables) -> None:
    index = np.array([1, 2, 3, 17, 191, 192, 5000, 32767])
    edges = thresholds(tables, index)
    reached = edges >> tables.accumulator_shift < 2**20
    assert reached[:4].all()
    for sign in (1, -1):
        assert quantize(tables, sign * edges[reached]).tolist() == (sign * index[reached]).tolist()
        assert quantize(tables, sign * (edges[reached] - 1)).tolist() == (sign * (index[reached] - 1)).tolist()


def test_a_quality_is_the_index_at_a_step_twice_as_large() -> None:
    tables = transform_tables()
    acc = accumulate(tables, counts_of(tables, 200))
    for quality in range(1, 7):
        double = replace(tables, index_shift=tables.index_shift + quality, rounding=tables.rounding << quality)
        assert np.array_equal(quantize(tables, acc, quality), quantize(double, acc))


def test_what_no_index_holds_is_no_index() -> None:
    tables = replace(transform_tables(), accumulator_shift=0, multiplier=1024, rounding=0, index_shift=10)
    acc = np.array([-(2**31) + 1, 2**31 - 1, 2**20, 32767, 32768, -32768, -32767])
    assert quantize(tables, acc).tolist() == [-32768, 32768, 32768, 32767, 32768, -32768, -32767]
    assert quantize(tables, acc, 1).tolist() == [-32768, 32768, 32768, 16383, 16384, -16384, -16383]


PLAIN = transform_tables()
ODD = transform_tables(**SHAPES["odd"])
CONTROL = transform_tables(**SHAPES["control"])
RICE = transform_tables(**SHAPES["rice"])


def edited(array: np.ndarray, place: Any, value: int) -> np.ndarray:
    changed = array.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("tables", "changed", "message"),
    [
        (PLAIN, {"blocks": PLAIN.blocks[:1]}, "blocks: block 0 has half 8, 16 follow"),
        (PLAIN, {"blocks": edited(PLAIN.blocks, (0, 0), 7)}, "blocks: block 0 has half 7, 8 follow"),
        (ODD, {"blocks": np.append(ODD.blocks, [[1, 0]], axis=0).astype(np.uint16)}, "blocks: 3 samples cannot be fol"),
        (PLAIN, {"blocks": edited(PLAIN.blocks, (0, 1), 5)}, "rows is 9"),
        (PLAIN, {"rows": 17}, "rows is 17"),
        (PLAIN, {"weights": PLAIN.weights[1:]}, "weights: .* of them, blocks ask for"),
        (PLAIN, {"weights": np.full_like(PLAIN.weights, 32767)}, "weights: a row reaches .* int32 ends at 2147483647"),
        (PLAIN, {"weights": PLAIN.weights.astype(np.int32)}, "weights"),
        (PLAIN, {"positions": edited(PLAIN.positions, 0, 0)}, "positions: not each of 0 … 8 once"),
        (PLAIN, {"positions": edited(PLAIN.positions, 0, 9)}, "positions: not each of 0 … 8 once"),
        (PLAIN, {"multiplier": 2048}, "quantizer"),
        (PLAIN, {"multiplier": 1023}, "quantizer"),
        (PLAIN, {"rounding": 2**31 + 2**30}, "quantizer"),
        (PLAIN, {"index_shift": 32}, "quantizer"),
        (CONTROL, {"index_shift": 26, "rounding": 2**26}, "quantizer"),
        (PLAIN, {"classes": PLAIN.classes[1:]}, "classes: they must be 9 numbers"),
        (PLAIN, {"classes": edited(PLAIN.classes, 3, 9)}, "classes: they must be 9 numbers below 9"),
        (PLAIN, {"contexts": np.zeros((17, 25), np.uint8)}, "classes"),
        (PLAIN, {"contexts": np.zeros((9, 24), np.uint8)}, "contexts"),
        (PLAIN, {"contexts": edited(PLAIN.contexts, (8, 24), 5)}, "contexts: .* a table that is not among the 5"),
        (PLAIN, {"symbols": np.zeros((0, 16), np.uint16)}, "contexts: they name a table that is not among the 0"),
        (PLAIN, {"symbols": edited(PLAIN.symbols, (0, 0), 0)}, "symbols: upper ends must rise from above 0 to 4096"),
        (PLAIN, {"symbols": edited(PLAIN.symbols, (4, 15), 4097)}, "symbols: upper ends must rise"),
        (PLAIN, {"symbols": edited(PLAIN.symbols, (2, 3), 0)}, "symbols"),
        (PLAIN, {"symbols": edited(PLAIN.symbols, (2, 3), int(PLAIN.symbols[2, 4]))}, "symbols"),
        (PLAIN, {"ends": PLAIN.ends[1:]}, "ends: 9 upper ends, 10 are needed"),
        (PLAIN, {"ends": edited(PLAIN.ends, -1, 4095)}, "ends: upper ends must rise"),
        (PLAIN, {"more": np.zeros(3)}, "more"),
        (PLAIN, {"ends": None}, "ends"),
        (RICE, {"rice": edited(RICE.rice, 2, 15)}, "rice: they must be 9 parameters of at most 14"),
        (RICE, {"rice": RICE.rice[1:]}, "rice: they must be 9 parameters"),
        (RICE, {"ends": PLAIN.ends}, "ends"),
    ],
)  # fmt: skip
def test_tables_that_cannot_work_are_refused(tables: Tables, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(QcsError, match=message):
        taken(tables, **changed)


@pytest.mark.parametrize("tables", [PLAIN, CONTROL], ids=["one quality", "every quality"])
def test_a_quantizer_may_use_all_of_32_bits(tables: Tables) -> None:
    """At the coarsest quality too, whose shift and rounding are those of the finest and as many bits more."""
    quality, most = (6 if tables.max_bytes else 0), (2**20 - 1) * tables.multiplier
    last = {"index_shift": 31 - quality, "rounding": (2**32 - 1 - most) >> quality}
    taken(tables, **last)
    for name, value in last.items():
        with pytest.raises(QcsError, match=r"^quantizer: multiplier .* leave 32 bits"):
            taken(tables, **{**last, name: value + 1})
