"""Table `[transform]`."""

from typing import Any

import pytest

from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.transform.config import TransformConfig


def load(**keys: Any) -> TransformConfig:
    return load_table(TransformConfig, "transform", overrides=keys)


def test_defaults_are_a_klt_of_one_bit_per_sample_in_packets_of_four() -> None:
    config = load()
    assert (config.mode, config.basis, config.coder, config.rows, config.windows) == ("lossy", "klt", "range", 0, 4)
    assert (config.bits_per_sample, config.max_bytes, config.decimate, config.crc) == (1.0, None, 1, False)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"bits_per_sample": 1.0, "max_bytes": 20}, "give one of the two"),
        ({"mode": "lossless", "bits_per_sample": 2.0}, "bits_per_sample has no meaning with mode = 'lossless'"),
        ({"mode": "lossless", "max_bytes": 20}, "max_bytes has no meaning"),
        ({"mode": "lossless", "basis": "klt"}, "basis has no meaning"),
        ({"mode": "lossless", "decimate": 1}, "decimate has no meaning"),
        ({"basis": "haar"}, "klt"),
        ({"decimate": 3}, "1 or 2"),
        ({"windows": 0}, "windows"),
        ({"rows": 513}, "rows"),
        ({"bits_per_sample": 0}, "bits_per_sample"),
        ({"bit_per_sample": 1.0}, "did you mean 'bits_per_sample'"),
    ],
)
def test_contradictions_are_refused_in_one_line(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(QcsError, match=words) as refusal:
        load(**keys)
    assert "\n" not in str(refusal.value)


def test_what_goes_together_is_taken() -> None:
    assert load(mode="lossless", windows=8, crc=True).crc
    assert load(max_bytes=20).max_bytes == 20
    assert load(coder="rice", decimate=2, rows=512).rows == 512
