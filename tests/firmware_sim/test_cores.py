"""Every core's kernel on random models, in its emulator, against the NumPy reference."""

import numpy as np
import pytest
from support import cores, fuzz
from support.encoders import reference
from support.need import need_board

from qcskit.codec.learned.c_int8 import FAST_LAYOUTS
from qcskit.codec.learned.int8 import FrontEnd, Int8Layer, Int8Tables
from qcskit.codec.learned.kernels.layout import LayoutError
from qcskit.firmware import CORES, Core

FAST = [core for core in CORES.values() if core.layout in FAST_LAYOUTS]


def fits_every_layout(tables: Int8Tables) -> bool:
    try:
        for make in FAST_LAYOUTS.values():
            make(tables)
    except LayoutError:
        return False
    return True


@pytest.mark.parametrize("core", FAST, ids=lambda core: core.name)
def test_kernel_gives_the_reference_bytes(core: Core) -> None:
    need_board(core.board)
    drawn = [fuzz.build(fuzz.random_spec(seed, widest=64))[0] for seed in range(26)]
    checks = [cores.make_check(t, seed, random=100) for seed, t in enumerate(drawn) if fits_every_layout(t)]
    assert len(checks) >= 20
    assert cores.mismatches(core, checks) == []


def test_every_number_of_outputs_and_bits_is_packed() -> None:
    """Row groups and bytes end at different places: all combinations of 1 … 9 outputs and 1 … 8 bits per index."""
    core = CORES["Cortex-M4"]
    need_board(core.board)
    models = [reference((5, outputs), 1 << bits).tables for outputs in range(1, 10) for bits in range(1, 9)]
    checks = [cores.make_check(tables, seed, random=50) for seed, tables in enumerate(models)]
    assert cores.mismatches(core, checks) == []


def extreme(reach: int, shift: int, seed: int) -> Int8Tables:
    """Weights ±127, biases that make accumulators reach exactly ±`reach`, any multiplier."""
    rng = np.random.default_rng(seed)
    inputs, hidden, outputs = 63, 14, 5
    weights = rng.choice(np.array([-127, 127], np.int8), (hidden, inputs))
    bias = (reach - 127 * 128 * inputs) * rng.choice([-1, 1], hidden)
    multiplier = rng.integers(2**30, 2**31, hidden)
    multiplier[:2] = 2**30, 2**31 - 1
    layer = Int8Layer(
        weights, bias.astype(np.int32), multiplier.astype(np.int32), np.full(hidden, -shift, np.int8),
        int(rng.integers(-128, 128)), np.sort(rng.integers(-128, 128, 256)).astype(np.int8),
    )  # fmt: skip
    last = rng.integers(-127, 128, (outputs, hidden), np.int8)
    thresholds = np.sort(rng.integers(-(10**5), 10**5, (outputs, 15)), axis=1).astype(np.int32)
    return Int8Tables((layer,), last, thresholds, FrontEnd(0, 2**30, 0, 0))


@pytest.mark.parametrize("name", ["Cortex-M0", "RV32IMC"])
def test_the_pair_kernel_is_exact_at_the_bounds_of_its_arithmetic(name: str) -> None:
    """Accumulators up to 2^20 − 1, where its 32-bit products end, and beyond; shifts from left to far right."""
    core = CORES[name]
    need_board(core.board)
    models = [extreme((1 << 20) - 1, shift, seed) for seed, shift in enumerate((1, 2, 9, 11, 12, 13, 14, 31))]
    models += [extreme(1 << reach, shift, reach) for reach, shift in ((20, 12), (23, 14), (29, 20), (29, 0), (21, -3))]
    checks = [cores.make_check(tables, seed, given=200, random=300) for seed, tables in enumerate(models)]
    assert cores.mismatches(core, checks) == []


def test_the_avr_kernel_gives_the_reference_bytes() -> None:
    """Random models, and requantization of accumulators up to 2^30 by every kind of shift."""
    need_board("avr")
    models = [fuzz.build(fuzz.random_spec(seed, widest=40))[0] for seed in range(6)]
    models += [extreme(1 << reach, shift, reach) for reach, shift in ((20, 12), (30, 21), (29, 0), (21, -3), (24, 31))]
    checks = [cores.make_check(tables, seed, given=40, random=60) for seed, tables in enumerate(models)]
    assert cores.mismatches(CORES["AVR"], checks) == []


def test_a_wrong_weight_changes_the_hash() -> None:
    tables = reference((6, 5, 4), 4).tables
    check = cores.make_check(tables, 1, random=50)
    weights = tables.weights.copy()
    weights[0, 0] += 40 if weights[0, 0] < 0 else -40
    other = Int8Tables(tables.hidden, weights, tables.thresholds, tables.front_end)
    changed = cores.Check(other, check.vectors, check.random, check.seed)
    assert cores.expected(check) != cores.expected(changed)
