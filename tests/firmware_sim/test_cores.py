"""Every core's kernel on random models, in its emulator, against the NumPy reference."""

import numpy as np
import pytest
from encoders import build, reference, write_text

from qcskit.codec.integer import DenseTables, EncoderTables, FrontEnd
from qcskit.export.c_text import FAST_LAYOUTS
from qcskit.export.fast_layout import LayoutError
from qcskit.firmware import find_board
from qcskit.firmware_sim import cores, fuzz


def need(core: cores.Core) -> None:
    for tool, package in find_board(core.board).missing:
        pytest.skip(f"{tool} is missing: apt-get install {package}")


def fits_every_layout(tables: EncoderTables) -> bool:
    try:
        for make in FAST_LAYOUTS.values():
            make(tables)
    except LayoutError:
        return False
    return True


@pytest.mark.parametrize("core", cores.CORES, ids=lambda core: core.name)
def test_kernel_gives_the_reference_bytes(core: cores.Core) -> None:
    need(core)
    drawn = [build(fuzz.random_spec(seed, widest=64))[0] for seed in range(26)]
    checks = [cores.make_check(t, seed, random=100) for seed, t in enumerate(drawn) if fits_every_layout(t)]
    assert len(checks) >= 20
    assert cores.mismatches(core, checks, write_text) == []


def test_every_number_of_outputs_and_bits_is_packed() -> None:
    """Row groups and bytes end at different places: all combinations of 1 … 9 outputs and 1 … 8 bits per index."""
    core = next(core for core in cores.CORES if core.name == "Cortex-M4")
    need(core)
    models = [reference((5, outputs), 1 << bits).tables for outputs in range(1, 10) for bits in range(1, 9)]
    checks = [cores.make_check(tables, seed, random=50) for seed, tables in enumerate(models)]
    assert cores.mismatches(core, checks, write_text) == []


def extreme(reach: int, shift: int, seed: int) -> EncoderTables:
    """Weights ±127, biases that make accumulators reach exactly ±`reach`, any multiplier."""
    rng = np.random.default_rng(seed)
    inputs, hidden, outputs = 63, 14, 5
    weights = rng.choice(np.array([-127, 127], np.int8), (hidden, inputs))
    bias = (reach - 127 * 128 * inputs) * rng.choice([-1, 1], hidden)
    multiplier = rng.integers(2**30, 2**31, hidden)
    multiplier[:2] = 2**30, 2**31 - 1
    layer = DenseTables(
        weights, bias.astype(np.int32), multiplier.astype(np.int32), np.full(hidden, -shift, np.int8),
        int(rng.integers(-128, 128)), np.sort(rng.integers(-128, 128, 256)).astype(np.int8),
    )  # fmt: skip
    last = rng.integers(-127, 128, (outputs, hidden), np.int8)
    thresholds = np.sort(rng.integers(-(10**5), 10**5, (outputs, 15)), axis=1).astype(np.int32)
    return EncoderTables((layer,), last, thresholds, FrontEnd(0, 2**30, 0, 0))


@pytest.mark.parametrize("name", ["Cortex-M0", "RV32IMC"])
def test_the_pair_kernel_is_exact_at_the_bounds_of_its_arithmetic(name: str) -> None:
    """Accumulators up to 2^20 − 1, where its 32-bit products end, and beyond; shifts from left to far right."""
    core = next(core for core in cores.CORES if core.name == name)
    need(core)
    models = [extreme((1 << 20) - 1, shift, seed) for seed, shift in enumerate((1, 2, 9, 11, 12, 13, 14, 31))]
    models += [extreme(1 << reach, shift, reach) for reach, shift in ((20, 12), (23, 14), (29, 20), (29, 0), (21, -3))]
    checks = [cores.make_check(tables, seed, given=200, random=300) for seed, tables in enumerate(models)]
    assert cores.mismatches(core, checks, write_text) == []


def test_the_avr_kernel_gives_the_reference_bytes() -> None:
    """Random models, and requantization of accumulators up to 2^30 by every kind of shift."""
    for tool, package in find_board("avr").missing:
        pytest.skip(f"{tool} is missing: apt-get install {package}")
    models = [build(fuzz.random_spec(seed, widest=40))[0] for seed in range(6)]
    models += [extreme(1 << reach, shift, reach) for reach, shift in ((20, 12), (30, 21), (29, 0), (21, -3), (24, 31))]
    checks = [cores.make_check(tables, seed, given=40, random=60) for seed, tables in enumerate(models)]
    assert cores.board_mismatches("avr", checks, write_text) == []


def test_a_wrong_weight_changes_the_hash() -> None:
    tables = reference((6, 5, 4), 4).tables
    check = cores.make_check(tables, 1, random=50)
    weights = tables.weights.copy()
    weights[0, 0] += 40 if weights[0, 0] < 0 else -40
    other = EncoderTables(tables.hidden, weights, tables.thresholds, tables.front_end)
    changed = cores.Check(other, check.vectors, check.random, check.seed)
    assert cores.expected(check) != cores.expected(changed)
