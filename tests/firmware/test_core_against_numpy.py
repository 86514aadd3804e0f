"""The C core against the NumPy reference, over random models."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import ModelInMemory, random_tables

from qcskit.codec import integer
from qcskit.firmware import HostModel, build_host_library

LIBRARY = build_host_library()


def host(tables: integer.EncoderTables) -> tuple[HostModel, ModelInMemory]:
    memory = ModelInMemory(tables)
    return HostModel(LIBRARY, memory.address), memory


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(1, 48), min_size=2, max_size=6),
    levels=st.integers(2, 256),
)
def test_random_models_agree_bit_for_bit(seed: int, widths: list[int], levels: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, widths, levels)
    model, _memory = host(tables)
    x = rng.integers(-128, 128, (64, widths[0]), np.int8)
    x[:2] = [[-128], [127]]
    assert np.array_equal(model.index(x), integer.encode_index(tables, x))
    assert np.array_equal(model.encode(x), integer.encode_packed(tables, x))
    counts = rng.integers(-32768, 32768, (64, widths[0])).astype(np.int16)
    grid = integer.quantize_counts(tables.front_end, counts)
    assert np.array_equal(model.encode(counts), integer.encode_packed(tables, grid))
