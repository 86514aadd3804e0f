"""The fast transform: against products with its rows, an evaluator that watches int32, and contradictions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.transform import SHAPES, transform_tables

from qcskit.codec.errors import QcsError
from qcskit.codec.transform.definition import packet_of
from qcskit.codec.transform.network import FOLD, TURN, lifts, linear_rows, network_sums
from qcskit.codec.transform.packet import encode
from qcskit.codec.transform.tables import Tables

RNG = np.random.default_rng(3)
FAST = {name: keys for name, keys in SHAPES.items() if keys.get("basis") == "fast"}
FAST |= {"longest": {"basis": "fast", "n": 512, "rows": 512, "windows": 1}}


@pytest.fixture(params=FAST)
def tables(request: pytest.FixtureRequest) -> Tables:
    return transform_tables(**FAST[request.param])


def loudest(tables: Tables) -> NDArray[np.int64]:
    """Return the samples (2 · K, n) that drive each row furthest, up and down."""
    up = np.where(tables.matrix > 0, 32767, -32768)
    return np.concatenate([up, -1 - up])


def test_sums_are_products_with_the_rows_but_for_rounding(tables: Tables) -> None:
    rows, _ = linear_rows(tables.network)
    for loud in (3, 300, 32767):
        x = RNG.integers(-loud - 1, loud + 1, (50, tables.samples))
        off = np.abs(network_sums(tables.network, x) - x @ rows.T)
        # A turn rounds by half a unit at most; quiet windows are lifted, so that it counts less.
        lifted = 2.0 ** -lifts(x)[:, None]
        assert (off <= 1 + lifted * 0.5 * len(tables.twiddles) * np.abs(tables.weights).max()).all()
        assert off.max() < 2e-3 * max(loud, 256) * np.abs(rows).max()


def watched(tables: Tables, x: NDArray[np.int64]) -> int:
    """Return the largest magnitude of anything that a device computes of lifted samples (windows, n), step by step."""
    v, most, sums = (x << lifts(x)[:, None]).copy(), [0], np.zeros((len(x), len(tables.positions)), np.int64)
    weights, twiddles, positions = (iter(table.astype(np.int64)) for table in (
        tables.weights, tables.twiddles, tables.positions))  # fmt: skip

    def seen(value: NDArray[np.int64]) -> NDArray[np.int64]:
        most.append(int(np.abs(value).max()))
        return value

    for start, half, rows in tables.steps.tolist():
        for i in range(half if rows in (FOLD, TURN) else 0):
            low, high = start + i, start + 2 * half - 1 - i
            a, b = v[:, low].copy(), v[:, high].copy()
            if rows == FOLD:
                v[:, low], v[:, high] = seen(a + b), seen(a - b)
                continue
            c, s = next(twiddles)
            products = seen(c * a), seen(s * b), seen(c * b), seen(s * a)
            upper, lower = seen(products[0] + products[1]), seen(products[2] - products[3])
            v[:, low], v[:, high] = seen(upper + 1024) >> 11, seen(lower + 1024) >> 11
        for _ in range(0 if rows in (FOLD, TURN) else rows):
            total = np.zeros(len(x), np.int64)
            for place in range(start, start + half):
                total = seen(total + seen(next(weights) * v[:, place]))
            sums[:, next(positions)] = total
    for a, b in tables.pairs.tolist():
        sums[:, a], sums[:, b] = seen(sums[:, a] - sums[:, b]), seen(sums[:, a] + sums[:, b])
    return max(most)


def test_nothing_that_is_computed_leaves_32_bits(tables: Tables) -> None:
    """The bound holds for whatever drives a row furthest, and for noise; and it is no larger than it must be."""
    _, bound = linear_rows(tables.network)
    assert bound < 2**31
    driven = watched(tables, loudest(tables))
    noise = RNG.choice([-32768, 32767], (300, tables.samples))
    assert watched(tables, noise) <= bound
    assert 0.9 * bound < driven <= bound


def test_the_bound_counts_turns_and_pairs(tables: Tables) -> None:
    """Where the products of turns are the largest numbers, and where sums and differences of sums are."""
    small = replace(tables, weights=np.sign(tables.weights))
    x = RNG.choice([-32768, 32767], (300, tables.samples))
    assert linear_rows(tables.network)[1] > linear_rows(small.network)[1] >= watched(small, x) > 2**27
    paired = replace(tables, weights=tables.weights * in_pairs(tables))
    up = np.where(paired.matrix > 0, 32767, -32768)
    assert linear_rows(paired.network)[1] >= watched(paired, up) > 0


def in_pairs(tables: Tables) -> NDArray[np.int16]:
    """Return 1 for each weight of a row whose sum is of a pair, else 0."""
    rows = [half for _, half, rows in tables.steps.tolist() if rows < TURN for _ in range(rows)]
    return np.repeat(np.isin(tables.positions, tables.pairs), rows).astype(np.int16)


def test_weights_that_leave_32_bits_are_refused(tables: Tables) -> None:
    _, bound = linear_rows(tables.network)
    with pytest.raises(QcsError, match=r"^weights: a row reaches \d+, int32 ends at 2147483647$"):
        replace(tables, weights=(tables.weights * int(2**31 / bound + 1)).astype(np.int16)).check()
    with pytest.raises(QcsError, match="a row reaches"):
        replace(tables, twiddles=np.full_like(tables.twiddles, 32767)).check()


def test_packets_of_the_loudest_are_those_of_the_definition(tables: Tables) -> None:
    wide = replace(tables, centre=0, bits=16, low=-32768)
    rows = loudest(wide)[:: max(1, wide.rows // 12)]
    quiet = [np.full(wide.samples, value) for value in (0, -1, 127, -128, 128, -129, 16383, -16384, 16384)]
    x = np.concatenate([rows, quiet])
    counts = np.tile(np.repeat(x, wide.stride, axis=1), (1, wide.windows)).astype(np.int16)
    assert [bytes(one) for one in encode(wide, counts)] == [packet_of(wide, row) for row in counts.tolist()]


def test_windows_are_lifted_as_far_as_they_stay_int16() -> None:
    for value in (*range(-40, 40), -32768, 32767, *(sign * 2**k + d for k in range(6, 15) for sign in (1, -1)
                                                    for d in (-1, 0, 1))):  # fmt: skip
        lift = int(lifts(np.array([[0, value]]))[0])
        assert -32768 <= value << lift <= 32767
        assert lift == 8 or not -32768 <= value << lift + 1 <= 32767


def test_multiplications_are_those_of_blocks_and_turns() -> None:
    tables = transform_tables(**FAST["fast"])
    assert tables.multiplications == tables.weights.size + 4 * len(tables.twiddles)


PLAIN = transform_tables(**FAST["fast"])
LAST = len(PLAIN.steps) - 1


def edited(table: NDArray[Any], place: Any, value: int) -> NDArray[Any]:
    changed = table.copy()
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": PLAIN.steps[1:]}, "steps: they must begin with the fold of 64 samples"),
        ({"steps": edited(PLAIN.steps, (0, 1), 16)}, "steps: they must begin with the fold of 64 samples"),
        ({"steps": np.insert(PLAIN.steps, 2, PLAIN.steps[1], axis=0)}, "steps: step 2 takes values that are not there"),
        ({"steps": np.delete(PLAIN.steps, 1, axis=0)}, "steps: step 1 takes values that are not there"),
        ({"steps": edited(PLAIN.steps, (LAST, 0), 60)}, f"steps: step {LAST} takes values that are not there"),
        ({"steps": edited(PLAIN.steps, (LAST, 1), 0)}, f"steps: step {LAST} takes values that are not there"),
        ({"steps": edited(PLAIN.steps, (LAST, 2), 9)}, "positions: 64 of them, steps ask for 65"),
        ({"weights": PLAIN.weights[1:]}, "weights: 639 of them, steps ask for 640"),
        ({"twiddles": PLAIN.twiddles[1:]}, "twiddles: 15 of them, steps ask for 16"),
        ({"positions": edited(PLAIN.positions, 0, 0)}, "positions: not each of 0 … 63 once"),
        ({"pairs": edited(PLAIN.pairs, (0, 0), 64)}, "pairs: they must name two of 64 sums each"),
        ({"pairs": edited(PLAIN.pairs, (0, 0), int(PLAIN.pairs[0, 1]))}, "pairs: they must name two of 64 sums each"),
        ({"rows": 65}, "rows is 65, a window keeps 64 samples"),
    ],
)  # fmt: skip
def test_tables_that_cannot_work_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(QcsError, match=message):
        replace(PLAIN, **changed).check()


def test_fewer_sums_than_rows_are_refused() -> None:
    few = transform_tables(**{**FAST["fast"], "rows": 20})
    with pytest.raises(QcsError, match="positions: not each of 0 … 29 once"):
        replace(few, rows=30).check()
