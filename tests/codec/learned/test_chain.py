"""Requantization and distances to thresholds against plain loops; values of tables that no kernel takes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import random_encoder
from support.python_int8 import python_requantize
from support.tables import c_dir

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.bundle import ARITHMETICS
from qcskit.codec.learned.chain import (
    FRONT_NUMBERS,
    DenseChain,
    FrontEnd,
    accumulator_unit,
    front_end_for,
    matmul_exact,
    quantize_multiplier,
    requantize,
)
from qcskit.codec.learned.tflm import TflmRuntime
from qcskit.export.learned.flatbuffer import ACTIVATIONS, DenseOp, encoder_flatbuffer
from qcskit.firmware import HostCodec, build_host_library


@given(st.integers(-(2**31), 2**31 - 1), st.integers(2**30, 2**31 - 1), st.integers(-31, 0))
def test_requantize_is_the_runtime_s(acc: int, multiplier: int, shift: int) -> None:
    found = requantize(np.array([acc]), multiplier, shift)
    assert found.tolist() == [python_requantize(acc, multiplier, shift)]


def test_matmul_is_exact_at_the_extremes() -> None:
    x = np.array([[-32768] * 500, [32767] * 500], np.int16)
    weights = np.full((2, 500), 127, np.int8)
    assert matmul_exact(x, weights).tolist() == [[-32768 * 127 * 500] * 2, [32767 * 127 * 500] * 2]


INT8, INT16 = (-128, 127), (-32768, 32767)
MULTIPLIER = (0, 2**31 - 1)
BOTH = {
    "weights": (-127, 127), "hidden0_weights": (-127, 127),
    "hidden0_multiplier": MULTIPLIER, "hidden0_shift": (-31, 30),
    "front_end offset": INT16, "front_end multiplier": MULTIPLIER, "front_end shift": (-31, 14),
}  # fmt: skip
RANGES: dict[str, dict[str, tuple[int, int]]] = {
    "tflm": {**BOTH, "hidden0_zero_point": INT8, "front_end zero_point": INT8},
    "tflm16": {**BOTH, "hidden0_low": INT16, "hidden0_high": INT16, "front_end zero_point": (0, 0)},
}
"""What the kernels take (qcs_int8_kernels.h, qcs_int16_kernels.h, each product of two rows in qcs_int8_pair.c)."""
TAKEN = [(profile, name) for profile, ranges in RANGES.items() for name in ranges]


def small_tables(profile: str) -> DenseChain:
    """Tables of a hidden layer without tanh; a clamp is that of int16."""
    tables = random_encoder(np.random.default_rng(1), (4, 6, 3), 5, profile, "hard_tanh")[0].tables
    return with_value(tables, "hidden0_low", -32768) if profile == "tflm16" else tables


def with_value(tables: DenseChain, *changes: Any) -> DenseChain:
    """Return the tables with other values: name, value, name, value; of an array with many, its last one changes."""
    arrays = {name: array.copy() for name, array in tables.to_arrays().items()}
    for name, value in zip(changes[::2], changes[1::2], strict=True):
        array, _, part = name.partition(" ")
        place = list(FRONT_NUMBERS).index(part) if part else -1
        arrays[array].flat[place] = value
    return type(tables).from_arrays(arrays)


@pytest.mark.parametrize(("profile", "name"), TAKEN)
def test_a_value_that_no_kernel_takes_is_refused_by_the_name_of_its_array(profile: str, name: str) -> None:
    arrays, array = small_tables(profile).to_arrays(), name.split(" ")[0]
    no_sums = {key: np.zeros_like(arrays[key]) for key in ("hidden0_weights", "hidden0_bias")}  # any shift fits
    tables = type(small_tables(profile)).from_arrays({**arrays, **no_sums})
    low, high = RANGES[profile][name]
    info = np.iinfo(arrays[array].dtype)
    for value in (low, high):
        with_value(tables, name, value)
    for value in (low - 1, high + 1):
        if info.min <= value <= info.max:
            with pytest.raises(QcsError, match=rf"^array '{array}'.* holds {value}, [^\n]*$"):
                with_value(tables, name, value)


@pytest.mark.parametrize(("profile", "largest", "room"), [("tflm", 128, 2**31 - 1), ("tflm16", 2**15, 2**30 - 1)])
@pytest.mark.parametrize("left", [0, 3])
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_of_a_hidden_layer_fit_the_kernels(profile: str, largest: int, room: int, left: int, sign: int) -> None:
    """The last output: Σ |w| times the largest input, plus |bias|, shifted left."""
    tables = small_tables(profile)
    bias = (room >> left) - largest * int(np.abs(tables.hidden[0].weights[-1].astype(int)).sum())
    with_value(tables, "hidden0_shift", left, "hidden0_bias", sign * bias)
    with pytest.raises(QcsError, match=rf"^array 'hidden0_bias': the sum of output 5 can be \d+, .* {room >> left}$"):
        with_value(tables, "hidden0_shift", left, "hidden0_bias", sign * (bias + 1))


@pytest.mark.parametrize(("profile", "largest"), [("tflm", 128), ("tflm16", 2**15)])
def test_sums_of_the_last_layer_fit_32_bits(profile: str, largest: int) -> None:
    kind = type(small_tables(profile))
    inputs = (2**31 - 1) // (largest * 127)
    for more, fits in ((0, True), (1, False)):
        weights = np.full((1, inputs + more), 127, np.int8)
        arrays = {"weights": weights, "thresholds": np.zeros((1, 1), np.int32),
                  "front_end": np.zeros((1, len(FRONT_NUMBERS)), np.int64)}  # fmt: skip
        if fits:
            kind.from_arrays(arrays)
        else:
            with pytest.raises(QcsError, match=r"^array 'weights': the sum of output 0 can be \d+"):
                kind.from_arrays(arrays)


@pytest.mark.parametrize("profile", RANGES)
@pytest.mark.parametrize("name", ["weights", "hidden0_weights"])
def test_weights_without_rows_are_refused(profile: str, name: str) -> None:
    tables = small_tables(profile)
    arrays = tables.to_arrays()
    with pytest.raises(QcsError, match=rf"^array '{name}' is empty"):
        type(tables).from_arrays({**arrays, name: arrays[name][:0]})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("hidden0_low", -32767), r"^arrays 'hidden0_low', 'hidden0_high' must be"),
        (("hidden0_high", 32766), r"^arrays 'hidden0_low', 'hidden0_high' must be"),
        (("hidden0_low", 1, "hidden0_high", 0), r"^array 'hidden0_low' holds 1, above"),
        (("hidden0_activation", 32766), r"^array 'hidden0_activation' \(last point\) holds 32766"),
    ],
)
def test_a_tanh_that_the_kernels_would_compute_otherwise_is_refused(changes: tuple[Any, ...], told: str) -> None:
    """They clamp by the range of int16 and, beyond the last point, to 32767."""
    tables = random_encoder(np.random.default_rng(1), (4, 6, 3), 5, "tflm16", "tanh")[0].tables
    with pytest.raises(QcsError, match=told):
        with_value(tables, *changes)


OWN = ((1 << 30, 0), (2**31 - 1, 14), (3 << 29, -9), (1 << 30, -31), (0, 0), (1_555_555_555, -4))
"""(multiplier, shift) of each input: extremes, a factor of 0, and what is in between."""
FRONTS = {
    "one": FrontEnd(-777, 1_555_555_555, -4, 9),
    "one to the right": FrontEnd(32767, 2**31 - 1, 14, -128),
    "each its own": FrontEnd(11_795, *zip(*OWN, strict=True), 0),  # type: ignore[arg-type]
    "each, about the least count": FrontEnd(-32768, *zip(*OWN[::-1], strict=True), 127),  # type: ignore[arg-type]
}
EVERY = np.repeat(np.append(np.arange(-32768, 32768, 3), 32767).astype(np.int16)[:, None], len(OWN), axis=1)
"""Every third count, both ends among them: all residues of a shift."""


def watching(profile: str, front_end: FrontEnd) -> DenseChain:
    """Tables without a hidden layer: every input has four outputs, whose 255 thresholds lie all over its range."""
    kind = ARITHMETICS["int16" if profile == "tflm16" else "int8"]
    info, rng = np.iinfo(kind.dtype), np.random.default_rng(2)
    weights = np.tile(np.eye(len(OWN), dtype=np.int8), (4, 1))
    places = np.arange(info.min + 1, info.max + 1)
    thresholds = np.sort([rng.choice(places, 255, replace=False) for _ in weights], axis=1).astype(np.int32)
    return kind.tables((), weights, thresholds, front_end)


@pytest.mark.parametrize("case", FRONTS)
@pytest.mark.parametrize("profile", RANGES)
def test_the_front_end_is_python_s_and_c_s(profile: str, case: str) -> None:
    front = replace(FRONTS[case], zero_point=0) if profile == "tflm16" else FRONTS[case]
    tables = watching(profile, front)
    rows = front.rows() * (len(OWN) if len(front.rows()) == 1 else 1)
    info = np.iinfo(np.int16 if profile == "tflm16" else np.int8)
    columns = [
        [min(max(python_requantize(count - offset, mantissa, shift) + zero, info.min), info.max)
         for count in EVERY[:, 0].tolist()]
        for offset, mantissa, shift, zero in (rows if len(set(rows)) > 1 else rows[:1])
    ]  # fmt: skip
    expected = np.broadcast_to(np.array(columns).T, EVERY.shape)
    found = tables.network_input(EVERY)
    assert found.dtype == info.dtype
    assert np.array_equal(found, expected)
    host = HostCodec(build_host_library(c_dir("front", tables)), "qcs_front_codec")
    assert np.array_equal(
        host.encode(EVERY).rows, tables.packing.pack(tables.encode_index(expected.astype(info.dtype)))
    )
    if profile == "tflm":
        assert np.array_equal(host.network_input(EVERY), expected)


@pytest.mark.parametrize("case", FRONTS)
def test_a_front_end_comes_back_from_its_rows(case: str) -> None:
    front = FRONTS[case]
    assert FrontEnd.of(front.rows()) == front
    tables = watching("tflm", front)
    assert tables.to_arrays()["front_end"].shape == (len(front.rows()), 4)
    again = type(tables).from_arrays(tables.to_arrays())
    assert (again.front_end, again.model_id) == (front, tables.model_id)


def test_a_front_end_for_ranges_multiplies_by_their_ratio() -> None:
    steps, step = (0.5, 3.0, 1e-3, 0.1), 0.1
    front = front_end_for(steps, step, -5)
    for own, (offset, mantissa, shift, zero) in zip(steps, front.rows(), strict=True):
        assert (offset, zero) == (-5, 0)
        assert mantissa * 2.0 ** (shift - 31) == pytest.approx(step / own, rel=2.0**-30)
    with pytest.raises(QcsError, match=r"^an ADC count \(0\.1 units\) is over 2\^14 steps of the network input"):
        front_end_for([0.5, 1e-6], step, 0)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (np.zeros((2, 4)), r"^array 'front_end' has 2 rows, expected 1 or 6$"),
        (np.zeros((0, 4)), r"^array 'front_end' must hold one offset and one zero point$"),
        (np.eye(6, 4), r"^array 'front_end' must hold one offset and one zero point$"),
        (np.eye(6, 4, 3), r"^array 'front_end' must hold one offset and one zero point$"),
        (np.zeros((6, 3)), r"^array 'front_end' is int64 \(6, 3\)"),
        (np.zeros(4), r"^array 'front_end' is int64 \(4,\)"),
    ],
)
def test_rows_that_are_no_front_end_are_refused(rows: np.ndarray, told: str) -> None:
    tables = watching("tflm", FRONTS["one"])
    with pytest.raises(QcsError, match=told):
        type(tables).from_arrays({**tables.to_arrays(), "front_end": rows.astype(np.int64)})


def test_weights_without_dimensions_are_told_before_the_front_end() -> None:
    tables = small_tables("tflm")
    arrays = tables.to_arrays()
    with pytest.raises(QcsError, match=r"^array 'hidden0_weights' is int8 \(24,\)"):
        type(tables).from_arrays({**arrays, "hidden0_weights": arrays["hidden0_weights"].ravel()})


@pytest.mark.parametrize(("outputs", "scales"), [(1, 1), (3, 1), (3, 3)])
def test_an_accumulator_is_worth_what_the_runtime_multiplies_it_by(outputs: int, scales: int) -> None:
    """To the last bit, a shared scale too: biases lie where a product of the scales in float would be noticed."""
    rng, told, x = np.random.default_rng(0), 0, np.arange(-128, 128, dtype=np.int8)[:, None]
    for _ in range(100):
        source, weight = np.float32(rng.uniform(0.01, 0.03)), np.float32(rng.uniform(0.001, 0.01))
        pre = np.float32(float(source) * float(weight) * 2**17)
        bias = int((rng.integers(60, 127) + 0.5) * 2**17)
        ones, biases = np.ones((outputs, 1), np.int8), np.full(outputs, bias, np.int32)
        layer = DenseOp(ones, np.full(scales, weight), biases, source, 0, pre, 0, ACTIVATIONS["linear"])
        runtime = TflmRuntime(encoder_flatbuffer((layer,), "one")).run(x)
        unit = accumulator_unit(float(source), layer.weight_scale, outputs)
        in_float = float(source * weight)
        exact, rounded = (
            requantize(x.astype(np.int64) + bias, *(np.int64(part) for part in quantize_multiplier(one / float(pre))))
            for one in (float(unit[0]), in_float)
        )
        np.testing.assert_array_equal(runtime, np.repeat(exact, outputs, axis=1))
        told += bool((exact != rounded).any())
    assert len(unit) == outputs
    assert told > 20
