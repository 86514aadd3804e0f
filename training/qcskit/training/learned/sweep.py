"""Trainings as points of a sweep, by the variants of `[train]`."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from qcskit.codec.signal import SignalConfig
from qcskit.training.config import TrainConfig, Variant
from qcskit.training.run import train_run
from qcskit.training.sweep import packed

METHODS: tuple[str, ...] = get_args(Variant)
TABLES = {"train": TrainConfig}
CONFIG = TrainConfig


def configure(chosen: dict[str, Any], tables: Mapping[str, Any], signal: SignalConfig) -> TrainConfig:
    """Return the resolved configuration of one combination. Raises QcsError or ValueError if it cannot be."""
    return TrainConfig(**{**tables.get("train", {}), **chosen}).resolved(signal)


def columns(config: TrainConfig, signal: SignalConfig) -> dict[str, object]:
    """Return the columns that are known before it runs; what an encoder of the user's takes is not."""
    macs = "" if config.module else sum(a * b for a, b in pairwise(config.encoder_shape(signal)))
    return {
        **packed(config, signal), "variant": config.variant, "recipe": config.recipe, "seed": config.seed,
        "steps": config.total_steps, "macs": macs,
    }  # fmt: skip


def run(path: Path, config: TrainConfig, signal: SignalConfig) -> dict[str, str]:
    """Train into run directory `path` and return the columns that are known then."""
    metrics = train_run(path, config, signal, lambda step, soft, hard: None)
    return {
        "nmse_hard_db": f"{metrics['nmse_hard_db']:.4f}",
        "best_step": str(metrics["best_step"]),
        "seconds": str(metrics["train_seconds"]),
    }
