"""Classical codecs as points of a sweep: fitted and tested here, one run directory with its metrics each."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qcskit.codec import seeds
from qcskit.codec.classical import NAMES, make
from qcskit.codec.classical.codecs import GenieCodec
from qcskit.codec.classical.config import ClassicalConfig
from qcskit.codec.errors import QcsError
from qcskit.codec.files import sealed, write_directory
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, test_frames
from qcskit.training.sweep import packed

METHODS = NAMES
TABLES = {"classical": ClassicalConfig}
CONFIG = ClassicalConfig


def configure(chosen: dict[str, Any], tables: Mapping[str, Any], signal: SignalConfig) -> ClassicalConfig:
    """Return the resolved configuration of one combination. Raises QcsError or ValueError if it cannot be."""
    if chosen.get("outputs") not in (None, signal.m):
        raise QcsError(f"outputs: {chosen['variant']} quantizes the m = {signal.m} measurements; leave it out")
    keys = {key: value for key, value in chosen.items() if key in ("rate", "seed")}
    return ClassicalConfig(**{**tables.get("classical", {}), **keys, "codec": chosen["variant"]}).resolved(signal)


def columns(config: ClassicalConfig, signal: SignalConfig) -> dict[str, object]:
    """Return the columns that are known before it runs: what is quantized is only compared."""
    return {**packed(config, signal), "variant": config.codec, "seed": config.seed, "macs": 0}


def run(path: Path, config: ClassicalConfig, signal: SignalConfig) -> dict[str, str]:
    """Fit, test on config.test_frames fresh frames, write `path`/metrics.json; return the columns known then.

    A genie-aided codec sees the source of its frames. Raises QcsError as `qcskit.codec.classical.make` does.
    """
    options: dict[str, Any] = {"mu": config.mu} if config.uses_mu else {}
    start = time.monotonic()
    codec = make(config.codec, signal, config.levels, train_frames=config.train_frames, seed=config.seed, **options)
    seconds = time.monotonic() - start
    x, y = test_frames(signal, config.test_frames, config.seed + seeds.TEST)
    packed = codec.encode(y)
    x_hat = codec.decode_with_source(packed, x) if isinstance(codec, GenieCodec) else codec.decode(packed)
    reached = nmse_db(x, x_hat)
    metrics = {
        "signal": signal.model_dump(mode="json"),
        "classical": config.model_dump(mode="json"),
        "nmse_hard_db": reached,
        "test_frames": config.test_frames,
        "rate_bits": codec.rate_bits,
        "tuning": getattr(codec, "tuning", {}),
        "fit_seconds": round(seconds, 1),
    }
    write_directory(path, {"metrics.json": sealed(metrics, {})}, marker="metrics.json")
    return {"nmse_hard_db": f"{reached:.4f}", "seconds": f"{seconds:.1f}"}
