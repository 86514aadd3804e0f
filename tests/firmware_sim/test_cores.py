"""Every core's kernel on random models, in its emulator, against the NumPy reference."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from support import cores, fuzz
from support.encoders import reference
from support.need import need_board
from support.tables import c_text

from qcskit.codec.learned.c_int8 import FAST_LAYOUTS
from qcskit.codec.learned.chain import DenseChain, FrontEnd
from qcskit.codec.learned.int8 import Int8Layer, Int8Tables
from qcskit.codec.learned.kernels.dsp import dsp_layout
from qcskit.codec.learned.kernels.layout import Layout, LayoutError, row_reach
from qcskit.firmware import CORES, Core, FirmwareError

FAST = [core for core in CORES.values() if core.layout in FAST_LAYOUTS]


def takes(make: Callable[[Int8Tables], Layout], tables: Int8Tables) -> bool:
    try:
        make(tables)
    except LayoutError:
        return False
    return True


def fits_every_layout(tables: Int8Tables) -> bool:
    return all(takes(make, tables) for make in FAST_LAYOUTS.values())


@pytest.mark.parametrize("core", FAST, ids=lambda core: core.name)
def test_kernel_gives_the_reference_bytes(core: Core) -> None:
    need_board(core.board)
    drawn = [fuzz.build(fuzz.random_spec(seed, widest=64))[0] for seed in range(26)]
    checks = [cores.make_check(tables, seed, random=100, counts=seed % 3 == 0)
              for seed, tables in enumerate(drawn) if fits_every_layout(tables)]  # fmt: skip
    assert len(checks) >= 20
    assert cores.mismatches(core, checks) == []


def test_every_number_of_outputs_and_bits_is_packed() -> None:
    """Row groups and bytes end at different places: 1 … 9 outputs, 1 … 8 bits per index, groups that fill a byte."""
    core = CORES["Cortex-M4"]
    need_board(core.board)
    sizes = [(outputs, 1 << bits) for outputs in range(1, 10) for bits in range(1, 9)] + [(5, 3), (10, 5), (7, 10)]
    models = [reference((5, outputs), levels).tables for outputs, levels in sizes]
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


REACH = (1 << 31) // 514 - 1
"""Largest accumulator that three chained sums hold."""


def every_row_at(reach: int, shift: int, seed: int) -> Int8Tables:
    """Two layers of rows of 257 weights 127 or −127: x = −128 everywhere drives all of a layer to ±`reach` at once."""
    rng = np.random.default_rng(seed)
    inputs, units = 257, 257
    signs = rng.choice([-1, 1], units)
    signs[:8] = 1, 1, 1, 1, -1, -1, -1, -1  # whole groups of one sign
    layer = Int8Layer(
        np.tile(127 * signs[:, None], inputs).astype(np.int8), ((127 * 128 * inputs - reach) * signs).astype(np.int32),
        rng.integers(2**30, 2**31, units).astype(np.int32), np.full(units, -shift, np.int8), int(rng.integers(-9, 9)),
        np.where(np.arange(256) % 2, -128, 127).astype(np.int8),
    )  # fmt: skip
    last = np.tile(np.array([127, 127, 127, 127, 127, -127, -127, -127], np.int8)[:, None], units)
    most = 127 * 128 * units
    steps = np.array([-most, 1 - most, -(2**21), -(2**16), 0, 2**16, 2**21, most - 1, most, most + 1], np.int32)
    return Int8Tables((layer,), last, np.tile(steps, (len(last), 1)), FrontEnd(0, 2**30, 0, 0))


def last_layer_only(tables: Int8Tables) -> Int8Tables:
    return Int8Tables((), tables.weights, tables.thresholds, tables.front_end)


def with_all_extremes(tables: Int8Tables, seed: int) -> cores.Check:
    """Add vectors of one value, and those that leave it in one place."""
    check = cores.make_check(tables, seed, given=40, random=40)
    same = np.repeat(np.array([-128, -127, 127, 0], np.int8)[:, None], tables.inputs, axis=1)
    nearly = same.copy()
    nearly[:, -1] = 1
    return cores.Check(tables, np.concatenate([same, nearly, check.vectors]), check.random, check.seed)


@pytest.mark.parametrize("name", ["Cortex-M4", "Cortex-M33"])
def test_the_chained_sums_are_exact_at_their_limit(name: str) -> None:
    core = CORES[name]
    need_board(core.board)
    hidden = [every_row_at(REACH, shift, seed) for seed, shift in enumerate((1, 14, 15, 16, 20))]
    models = [*hidden, last_layer_only(hidden[0])]
    assert row_reach(hidden[0].hidden[0].weights, hidden[0].hidden[0].bias) > 4_177_000
    assert cores.mismatches(core, [with_all_extremes(tables, seed) for seed, tables in enumerate(models)]) == []


@pytest.mark.parametrize("where", ["hidden layer 0", "last layer"])
def test_an_accumulator_beyond_the_limit_of_the_chained_sums_is_refused(where: str) -> None:
    """127 · 128 · 257 + 128 + 101 is the largest sum of products that they hold, with a bias; one more is refused."""
    tables = every_row_at(REACH, 15, 0)
    if where == "last layer":
        wide = np.zeros((1, 258), np.int8)
        wide[0, :257], wide[0, 257] = 127, 1
        for weight, fits in ((1, True), (2, False)):
            wide[0, 257] = weight
            model = Int8Tables((), wide, np.zeros((1, 1), np.int32), tables.front_end)
            assert (row_reach(wide) <= REACH) == fits
            assert takes(dsp_layout, model) == fits
        return
    layer = tables.hidden[0]
    room = REACH - row_reach(layer.weights)
    for beyond in (0, 1):
        bias = np.zeros_like(layer.bias)
        bias[3] = -(room + beyond)
        assert takes(dsp_layout, replace(tables, hidden=(replace(layer, bias=bias),))) == (not beyond)


def rounding_ties(*shifts: int) -> Int8Tables:
    """One input of weight 1; rows have biases, multipliers and shifts of their own, and the index tells the output."""
    biases = (0, 1, -1, -2, -3, 127, -129, -255, 256, 383, -384, -385)
    bias, multiplier, shift = np.array(list(product(biases, (2**30, 3 << 29), shifts))).T
    rows = len(bias)
    layer = Int8Layer(
        np.ones((rows, 1), np.int8), bias.astype(np.int32), multiplier.astype(np.int32), shift.astype(np.int8), 0,
        np.arange(-128, 128).astype(np.int8),
    )  # fmt: skip
    thresholds = np.tile(np.arange(-40, 41, dtype=np.int32), (rows, 1))
    return Int8Tables((layer,), np.eye(rows, dtype=np.int8), thresholds, FrontEnd(-1, 2**30, -2, 3))


@pytest.mark.parametrize("name", ["AVR", "Cortex-M0", "Cortex-M4", "Cortex-M55", "RV32IMC"])
def test_ties_of_both_roundings_are_rounded_as_by_the_definition(name: str) -> None:
    """Half of every sign, in the first rounding, the second or both; network inputs, and counts by the front end."""
    core = CORES[name]
    need_board(core.board)
    every = np.arange(-128, 128).astype(np.int8)[:, None]
    counts = np.arange(-600, 600, 3, dtype=np.int16)[:, None]
    right = rounding_ties(-1, -2, -4)
    checks = [cores.Check(right, every, 0, 1), cores.Check(right, counts, 0, 1)]
    if core.layout in ("QCS_LAYOUT_PLAIN", "QCS_LAYOUT_PAIR"):
        checks[0] = cores.Check(rounding_ties(0, -1, -4), every, 0, 1)
    assert cores.mismatches(core, checks) == []


def front_end_at_its_ends(tables: DenseChain) -> DenseChain:
    """Return tables with another front end for each input, and an input for each shift that a front end can have."""
    shifts = (-31, -20, -10, -8, -7, -4, -1, 0, 1, 7, 14)
    multipliers = (2**30, 2**31 - 1, 3 << 29, 2**30 + 1)
    rows = [(-700, multipliers[number % 4], shift, 0) for number, shift in enumerate(shifts)]
    return replace(tables, front_end=FrontEnd.of(rows))


@pytest.mark.parametrize("profile", ["tflm", "tflm16"])
@pytest.mark.parametrize("name", ["AVR", "Cortex-M0", "Cortex-M4", "Cortex-M55", "RV32IMC"])
def test_every_input_has_its_own_front_end(name: str, profile: str) -> None:
    """On each core, from all counts that there are: the ends of int16, both sides of the offset, everything between."""
    core = CORES[name]
    need_board(core.board)
    tables = front_end_at_its_ends(reference((11, 9, 6), 32, profile=profile).tables)
    counts = np.arange(-32768, 32768, 131).astype(np.int16)
    counts = np.concatenate([counts, np.arange(-740, -660, dtype=np.int16), np.array([32767], np.int16)])
    one_by_one = np.full((len(counts), 11), -700, np.int16)
    one_by_one[np.arange(len(counts)), np.arange(len(counts)) % 11] = counts
    vectors = np.concatenate([one_by_one, np.repeat(counts[:, None], 11, axis=1)])
    check = cores.make_check(tables, 5, given=40, counts=True)
    few = slice(None, None, 4 if name == "AVR" else 1)
    checks = [cores.Check(tables, np.concatenate([check.vectors, vectors[few]]), 20, 5)]
    assert cores.mismatches(core, checks) == []


OVERRUNS = {
    "before packed": "packed[-1] ^= 1;",
    "behind packed": "packed[codec->packed_bytes_max] ^= 1;",
    "before scratch": "((uint8_t *)scratch)[-1] ^= 1;",
    "behind scratch": "((uint8_t *)scratch)[codec->scratch_bytes] ^= 1;",
    "an impossible length": "length = 0;",
}
WRONG_ENCODE = """\
static uint16_t wrong(const qcs_codec_t *codec, uint8_t type, const void *input, uint8_t packed[], void *scratch) {
  uint16_t length = qcs_encode_int8(codec, type, input, packed, scratch);
  STATEMENT
  return length;
}
"""


@pytest.mark.parametrize(("name", "what"), [*(("Cortex-M4", what) for what in OVERRUNS), ("AVR", "behind packed")])
def test_what_an_encode_writes_beside_its_memory_is_named(
    name: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = CORES[name]
    need_board(core.board)

    def wrong_text(model: str, tables: Int8Tables) -> dict[str, str]:
        text, source = c_text(model, tables), f"qcs_model_{model}.c"
        body, codec, rest = text[source].partition(f"const qcs_codec_t qcs_{model}_codec")
        rest = rest.replace("qcs_encode_int8", "wrong")
        return text | {source: body + WRONG_ENCODE.replace("STATEMENT", OVERRUNS[what]) + codec + rest}

    monkeypatch.setattr(cores, "c_text", wrong_text)
    with pytest.raises(FirmwareError, match=f"{name}: an encode of model 0 writes {what}"):
        cores.mismatches(core, [cores.make_check(reference((6, 8, 4), 4).tables, 1, given=2, random=1)])


def test_the_avr_kernel_gives_the_reference_bytes() -> None:
    """Random models, and requantization of accumulators up to 2^30 by every kind of shift."""
    need_board("avr")
    models = [fuzz.build(fuzz.random_spec(seed, widest=40))[0] for seed in range(6)]
    models += [extreme(1 << reach, shift, reach) for reach, shift in ((20, 12), (30, 21), (29, 0), (21, -3), (24, 31))]
    checks = [cores.make_check(tables, seed, given=40, random=60, counts=seed == 3)
              for seed, tables in enumerate(models)]  # fmt: skip
    assert cores.mismatches(CORES["AVR"], checks) == []


def test_a_wrong_weight_changes_the_hash() -> None:
    tables = reference((6, 5, 4), 4).tables
    check = cores.make_check(tables, 1, random=50)
    weights = tables.weights.copy()
    weights[0, 0] += 40 if weights[0, 0] < 0 else -40
    other = Int8Tables(tables.hidden, weights, tables.thresholds, tables.front_end)
    changed = cores.Check(other, check.vectors, check.random, check.seed)
    assert cores.expected(check) != cores.expected(changed)
