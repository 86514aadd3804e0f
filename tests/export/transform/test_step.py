"""Steps by number, and the searches among them."""

import numpy as np
import pytest

from qcskit.export.transform.step import COARSEST, OCTAVE, ROUNDING, best, finest, finest_of, step_of

NUMBERS = [*range(finest_of(11), COARSEST + 1, 487), COARSEST]


@pytest.mark.parametrize("reach", [2**31 - 1, 2**22])
def test_every_step_fits_the_devices_integers(reach: int) -> None:
    for number in NUMBERS:
        step = step_of(number, reach)
        assert 1024 <= step.multiplier <= 2047
        assert step.index_shift <= 24
        assert step.accumulator_shift <= 20
        assert (step.rounding << 6) + (2**20 - 1) * step.multiplier < 2**32


def test_numbers_ascend_with_the_step_and_double_by_the_octave() -> None:
    sizes = [step_of(number, 2**31 - 1).size for number in range(20_000, 23_000)]
    assert (np.diff(sizes) > 0).all()
    assert max(np.array(sizes[1:]) / sizes[:-1]) < 1 + 1 / 1000
    for number in NUMBERS[:-10]:
        assert step_of(number + OCTAVE, 2**31 - 1).size == 2 * step_of(number, 2**31 - 1).size


@pytest.mark.parametrize("reach", [2**31 - 1, 2**25, 1000])
def test_the_accumulator_is_shifted_as_little_as_can_be(reach: int) -> None:
    for number in NUMBERS:
        step = step_of(number, reach)
        if step.index_shift == 24:
            continue

        def holds(shift: int, total: int = step.accumulator_shift + step.index_shift,
                  multiplier: int = step.multiplier) -> bool:  # fmt: skip
            return reach >> shift < 2**20 or 2**20 * multiplier >= 8191 << (total - shift)

        assert holds(step.accumulator_shift)
        assert step.accumulator_shift == 0 or not holds(step.accumulator_shift - 1)


def test_the_dead_zone_is_exact_to_a_hundredth_of_a_step_and_on_average_more() -> None:
    edges = []
    for number in NUMBERS[10:]:
        step = step_of(number, 2**31 - 1)
        a = -(-((1 << step.index_shift) - step.rounding) // step.multiplier)
        edges.append(((a << step.accumulator_shift) - 0.5) / step.size)
    assert np.abs(np.array(edges) - (1 - ROUNDING)).max() < 0.01
    assert np.mean(edges) == pytest.approx(1 - ROUNDING, abs=0.001)


@pytest.mark.parametrize("edge", [12_000, 12_001, 33_333, COARSEST])
def test_the_finest_step_that_meets_a_limit_is_found(edge: int) -> None:
    assert finest(lambda number: number >= edge, 12_000) == edge


def test_the_coarsest_step_makes_nothing_of_every_sum() -> None:
    step = step_of(COARSEST, 2**31 - 1)
    assert (1 - ROUNDING) * step.size > 2**31


def test_a_limit_that_no_step_meets_has_none() -> None:
    assert finest(lambda number: False, 12_000) is None


def test_the_best_step_is_found_beyond_small_bumps_and_not_below_the_finest() -> None:
    start = 30_000

    def error(number: int) -> float:
        return abs(number - (start - 2 * OCTAVE)) + (3000 if start - OCTAVE // 2 > number > start - OCTAVE else 0)

    assert best(error, start, 12_000) == start - 2 * OCTAVE
    assert best(error, start, start - OCTAVE // 2) == start - OCTAVE // 2
    assert best(lambda number: -number, start, 12_000) == start
