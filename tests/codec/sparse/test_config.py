"""What cannot be designed is refused in one line that says what can."""

import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.signal import IN_THE_BUNDLE, SignalConfig
from qcskit.codec.sparse.config import SparseConfig


@pytest.mark.parametrize(
    ("signal", "keys", "message"),
    [
        ({"n": 30, "m": 15, "s": 3}, {}, r"s = 3: the exact search is for s <= 2; train a learned codec"),
        ({"s": 1}, {"code": "plane"}, "code = 'plane' is for s = 2, not 1"),
        ({}, {"bits": 9}, r"bits = 9: 190 supports and the guard take at least 11; raise bits, or set guard = false"),
        (
            {},
            {"bits": 9, "code": "plane"},
            r"bits = 9: 190 supports and the guard take at least 10; raise bits, or set",
        ),
        ({}, {"bits": 9, "guard": False}, r"bits = 9: 190 supports take at least 10; raise bits$"),
        (
            {"n": 30, "m": 15, "s": 3},
            {"code": "range"},
            r"s = 3: the exact search is for s <= 2; train a learned codec",
        ),
        (
            {"source": "pairs", "matrix": "none", "recording": IN_THE_BUNDLE},
            {},
            "a sparse codec searches with Φ: pairs of x and y without Φ give none",
        ),
        ({"n": 60_000, "m": 8}, {}, "n = 60000: 1,799,970,000 supports leave no room in a word of 32 bits; lower n"),
    ],
)
def test_what_does_not_fit_is_one_line(signal, keys, message) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        SparseConfig(**keys).resolved(SignalConfig(**signal))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("n", "s", "bits"), [(20, 2, 24), (20, 1, 16), (100, 2, 32), (64, 2, 24), (4, 2, 16)])
def test_the_default_fills_whole_bytes(n: int, s: int, bits: int) -> None:
    assert SparseConfig().resolved(SignalConfig(n=n, m=min(n, 10), s=s)).bits == bits


def test_windows_go_with_bits_of_their_own() -> None:
    with pytest.raises(ValueError, match="windows is for bits that fill no whole bytes: give bits too"):
        SparseConfig(windows=2)
    assert SparseConfig(bits=20).resolved(SignalConfig()).windows == 1


def test_code_range_has_a_mean_and_many_vectors() -> None:
    found = SparseConfig(code="range").resolved(SignalConfig())
    assert (found.bits, found.windows) == (20, 16)  # 190 supports of 64 x 64 cells
    found = SparseConfig(code="range", bits=3, windows=40).resolved(SignalConfig())  # fewer than a support takes
    assert (found.bits, found.windows) == (3, 40)
    with pytest.raises(ValueError, match=r"windows = 15: the vectors of a packet of code 'range' share .* at least 16"):
        SparseConfig(code="range", windows=15)
