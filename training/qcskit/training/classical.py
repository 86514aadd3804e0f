"""A classical codec as a point of a sweep: fitted and tested here, one run directory with its metrics."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qcskit.codec.bundle import write_directory
from qcskit.codec.classical import make
from qcskit.codec.classical.codecs import GenieCodec
from qcskit.codec.classical.config import TEST_SEED_OFFSET, ClassicalConfig
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames


@dataclass(frozen=True)
class Reached:
    """What a classical codec reached on fresh frames, and what was fitted for it."""

    nmse_db: float
    rate_bits: float
    tuning: dict[str, float]
    seconds: float


def fit_and_test(config: ClassicalConfig, signal: SignalConfig) -> Reached:
    """Return the NMSE of a resolved configuration on config.test_frames frames; a genie-aided codec sees their x.

    seconds: wall time of fitting. Raises QcsError as `qcskit.codec.classical.make` does.
    """
    options: dict[str, Any] = {"mu": config.mu} if config.uses_mu else {}
    start = time.monotonic()
    codec = make(config.codec, signal, config.levels, train_frames=config.train_frames, seed=config.seed, **options)
    seconds = time.monotonic() - start
    x, y = draw_frames(signal, config.test_frames, config.seed + TEST_SEED_OFFSET)
    packed = codec.encode(y)
    x_hat = codec.decode_with_source(packed, x) if isinstance(codec, GenieCodec) else codec.decode(packed)
    return Reached(nmse_db(x, x_hat), codec.rate_bits, dict(getattr(codec, "tuning", {})), seconds)


def classical_run(path: Path, config: ClassicalConfig, signal: SignalConfig) -> Reached:
    """Fit and test, and write `path`/metrics.json in one rename."""
    reached = fit_and_test(config, signal)
    facts = {
        "signal": signal.model_dump(mode="json"), "classical": config.model_dump(mode="json"),
        "nmse_hard_db": reached.nmse_db, "test_frames": config.test_frames, "rate_bits": reached.rate_bits,
        "tuning": reached.tuning, "fit_seconds": round(reached.seconds, 1),
    }  # fmt: skip
    write_directory(path, {"metrics.json": (json.dumps(facts, indent=1) + "\n").encode()}, marker="metrics.json")
    return reached
