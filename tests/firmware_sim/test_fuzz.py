"""Random models through every implementation, and the shrinking of one that fails."""

from dataclasses import replace

import pytest
from support import fuzz

from qcskit.codec.learned.int8 import Int8Tables
from qcskit.firmware import build_host_library


@pytest.mark.parametrize("block", range(6))
def test_random_models_agree(block: int) -> None:
    library = build_host_library()
    for seed in range(block * 20, block * 20 + 20):
        failure = fuzz.check_spec(fuzz.random_spec(seed, widest=128), library, frames=200)
        assert failure is None, str(failure)


def test_models_cover_what_they_promise() -> None:
    specs = [fuzz.random_spec(seed) for seed in range(200)]
    assert {len(s.layers) for s in specs} == {1, 2, 3, 4, 5}
    assert {len(s.thresholds) + 1 for s in specs} >= {2, 3, 4, 5, 7, 8, 16, 64, 256}
    assert max(max(s.widths) for s in specs) > 200
    assert min(min(s.widths) for s in specs) == 1


def test_a_fault_is_shrunk_to_one_weight() -> None:
    """The tables treat weight 77 as 76: the minimal failing model has a single input, unit and threshold."""

    def faulty(spec: fuzz.ModelSpec) -> tuple[Int8Tables, bytes]:
        tables, flatbuffer = fuzz.build(spec)
        weights = tables.hidden[0].weights.copy()
        weights[weights == 77] = 60
        return replace(tables, hidden=(replace(tables.hidden[0], weights=weights), *tables.hidden[1:])), flatbuffer

    library = build_host_library()
    for seed in range(1000, 1200):
        spec = fuzz.random_spec(seed, depth=(2, 2), widest=24)
        if not (spec.layers[0].weights == 77).any():
            continue
        failure = fuzz.check_spec(spec, library, faulty, frames=2000)
        if failure is not None:
            break
    assert failure is not None
    assert failure.implementation == "tflm"
    small = fuzz.shrink(failure, library, faulty)
    assert small.implementation == "tflm"
    assert small.spec.widths == (1, 1, 1)
    assert (small.spec.layers[0].weights == 77).all()
    assert len(small.spec.thresholds) == 1
    assert "differs on 1-1-1, 2 levels" in str(small)
