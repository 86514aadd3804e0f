"""Sparse codecs as points of a sweep: each is designed into a bundle of its own, at its rate."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from qcskit.codec.codecs import open_codec
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import AdcConfig
from qcskit.codec.signal import SignalConfig
from qcskit.codec.sparse.config import SparseConfig
from qcskit.export.config import ExportConfig
from qcskit.export.sparse.design import design

METHODS = ("sparse", *(f"sparse-{code}" for code in get_args(SparseConfig.model_fields["code"].annotation)))
"""With the code of [sparse], or with one of them."""
TABLES: dict[str, type[Table]] = {"sparse": SparseConfig, "adc": AdcConfig}
_WEIGHED_PACKETS = 1000


class PointConfig(Table):
    """All that a point depends on beside its signal."""

    sparse: SparseConfig
    adc: AdcConfig


CONFIG = PointConfig


def configure(chosen: dict[str, Any], tables: Mapping[str, Any], signal: SignalConfig) -> PointConfig:
    """Return the resolved configuration of one combination. Raises QcsError or ValueError if it cannot be."""
    if chosen.get("outputs") is not None:
        raise QcsError("outputs: a sparse codec sends a support and its coefficients; leave it out")
    keys = {"seed": chosen["seed"]} if "seed" in chosen else {}
    if "rate" in chosen:
        keys["bits"] = whole_bits(chosen["rate"], signal.n)
    if code := chosen["variant"].partition("-")[2]:
        keys["code"] = code
    sparse = SparseConfig(**{**tables.get("sparse", {}), **keys}).resolved(signal)
    return PointConfig(sparse=sparse, adc=AdcConfig(**tables.get("adc", {})))


def whole_bits(rate: float, n: int) -> int:
    """Return the bits of a vector of n entries at a rate. Raises QcsError that names the nearest rate if none are.

    >>> whole_bits(0.7, 20)
    14
    """
    bits = round(rate * n)
    if abs(bits - rate * n) > 1e-9 or bits < 1:
        raise QcsError(f"rate = {rate:g}: {rate * n:g} bits of a vector of n = {n}; nearest: {max(bits, 1) / n:.6g}")
    return bits


def columns(config: PointConfig, signal: SignalConfig) -> dict[str, object]:
    """Return the columns that are known before it runs."""
    assert config.sparse.bits is not None
    return {"variant": f"sparse-{config.sparse.code}", "seed": config.sparse.seed,
            "rate_bits": config.sparse.bits / signal.n}  # fmt: skip


def run(path: Path, config: PointConfig, signal: SignalConfig) -> dict[str, str]:
    """Design the bundle `path`; return the columns known then."""
    start = time.monotonic()
    nmse = design(path, {"sparse": config.sparse, "signal": signal, "adc": config.adc}, ExportConfig()).nmse
    seconds, codec = time.monotonic() - start, open_codec(path)
    packets = codec.encode(codec.draw(_WEIGHED_PACKETS, config.sparse.seed)[1])
    return {
        "rate_bits": f"{codec.rate_bits:g}",
        "nmse_hard_db": f"{nmse.deployed_db:.4f}",
        "nmse_float_db": f"{nmse.float_db:.4f}",
        "vector_bytes": f"{len(packets.bytes) / (len(packets) * codec.windows):g}",
        "macs": f"{codec.cost()['multiplications'] / codec.windows:g}",
        "seconds": f"{seconds:.1f}",
    }
