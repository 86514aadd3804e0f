"""What this family proposes when codecs are compared: the search, behind an analog front end."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qcskit.codec.errors import QcsError
from qcskit.codec.signal import DIRECT, SignalConfig
from qcskit.codec.sparse.config import SparseConfig
from qcskit.codec.sparse.tables import MOST_BITS
from qcskit.export.compare import Candidate, Settings

_CODEC = "sparse"
_QUICK = {"sparse": {"test_frames": 1000}}
_PLANE_BELOW = 1.0
"""Bits per entry from which two coefficients by themselves are the better code (docs/sparse.md)."""


def candidates(sizes: Sequence[int], rates: Sequence[float], front: Settings) -> list[Candidate]:
    """Return the search at the rates of whole bits, in packets of one size and through the range coder.

    Without a front end that it can search: why there is none.
    """
    del sizes  # N is the front end's
    signal = front.get("signal", {})
    if signal.get("matrix", DIRECT[0]) in DIRECT:
        return [_refused("it searches with the Φ of an analog front end; name yours with -c: [signal] n, m, s, basis "
                         "and matrix")]  # fmt: skip
    bits = {rate: round(rate * signal["n"]) for rate in rates}
    sized = {rate: _sized(number, rate < _PLANE_BELOW and signal["s"] > 1) for rate, number in bits.items()}
    ranged = {rate: {"bits": number, "code": "range", "guard": False} for rate, number in bits.items()}
    return [_candidate(_CODEC, sized, front), _candidate(f"{_CODEC}, range", ranged, front)]


def _sized(bits: int, plane: bool) -> dict[str, Any]:
    """Return the keys of packets that are whole bytes."""
    return {"bits": bits, "windows": 8 // math.gcd(bits, 8), "guard": False} | ({"code": "plane"} if plane else {})


def _candidate(name: str, designs: Mapping[float, dict[str, Any]], front: Settings) -> Candidate:
    """Return those designs that there can be."""
    signal = SignalConfig(**front["signal"])
    refused = f"no rate that is compared makes 1 … {MOST_BITS} bits of a vector of n = {signal.n}"
    possible: dict[float | None, Settings] = {}
    for rate, keys in designs.items():
        try:
            SparseConfig(**keys).resolved(signal)
        except QcsError as error:
            refused = str(error)
        except ValueError:  # more bits than a vector may have
            continue
        else:
            possible[rate] = {**front, "sparse": keys}
    return Candidate(name, _CODEC, possible, _QUICK, "" if possible else refused)


def _refused(why: str) -> Candidate:
    return Candidate(_CODEC, _CODEC, {}, refused=why)
