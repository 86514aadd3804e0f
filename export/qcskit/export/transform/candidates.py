"""What this family proposes when codecs are compared."""

from collections.abc import Sequence
from typing import Any

from qcskit.export.compare import Candidate, Settings
from qcskit.export.transform.source import LEAST_SAMPLES, MOST_SAMPLES

_MOST_DECIMATED = 1.5
"""Bits per sample above which left-out samples cost more than they save."""
_QUICK = {"transform": {"test_frames": 100}}


def candidates(sizes: Sequence[int], rates: Sequence[float], front: Settings) -> list[Candidate]:
    """Return DCT and KLT of each size that is possible, one of every second sample, and the lossless sibling.

    The device samples them itself, whatever `front` is configured.
    """
    del front
    possible = [n for n in sizes if n % 2 == 0 and LEAST_SAMPLES <= n <= MOST_SAMPLES]
    found = [_lossy(f"{basis.upper()}-{n}", n, rates, basis=basis) for n in possible for basis in ("dct", "klt")]
    low = [rate for rate in rates if rate <= _MOST_DECIMATED]
    thinned = [n for n in possible if n % 4 == 0 and n // 2 >= LEAST_SAMPLES]
    if low and thinned:
        n = thinned[len(thinned) // 2]
        found.append(_lossy(f"KLT-{n}, every 2nd", n, low, basis="klt", decimate=2))
    return [_exact(n) for n in possible[:1]] + found


def _exact(n: int) -> Candidate:
    settings: Settings = {"signal": {"n": n}, "transform": {"mode": "lossless"}}
    return Candidate("lossless", "transform", {None: settings}, _QUICK)


def _lossy(name: str, n: int, rates: Sequence[float], **keys: Any) -> Candidate:
    designs: dict[float | None, Settings] = {
        rate: {"signal": {"n": n}, "transform": {**keys, "bits_per_sample": rate}} for rate in rates
    }
    return Candidate(name, "transform", designs, _QUICK)
