"""Every core's kernel on random models, in its emulator, against the NumPy reference."""

import pytest
from encoders import build, reference, write_text

from qcskit.codec.integer import EncoderTables
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


def test_a_wrong_weight_changes_the_hash() -> None:
    tables = reference((6, 5, 4), 4).tables
    check = cores.make_check(tables, 1, random=50)
    weights = tables.weights.copy()
    weights[0, 0] += 40 if weights[0, 0] < 0 else -40
    other = EncoderTables(tables.hidden, weights, tables.thresholds, tables.front_end)
    changed = cores.Check(other, check.vectors, check.random, check.seed)
    assert cores.expected(check) != cores.expected(changed)
