"""The state of a training on disk: one .npz file, replaced in one rename, removed when the run is written."""

import hashlib
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from qcskit.codec.bundle import npz_bytes, write_file
from qcskit.codec.signal import SignalConfig
from qcskit.training.config import TrainConfig

if TYPE_CHECKING:
    from qcskit.training.loop import State

VERSION = 1


def checkpoint_path(run: Path) -> Path:
    """Return the file that keeps the state of the training whose run directory will be `run`."""
    return run.parent / f".{run.name}.checkpoint.npz"


def fingerprint(signal: SignalConfig, train: TrainConfig) -> str:
    """Return a hash of everything the result depends on; a checkpoint of another one is not used."""
    facts = [VERSION, signal.model_dump(mode="json"), train.model_dump(mode="json"), tf.__version__]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def write_checkpoint(
    path: Path, configs: tuple[SignalConfig, TrainConfig], state: "State", variables: list[Any]
) -> None:
    """Write counters, curve, best weights and the value of every variable."""
    facts = {key: getattr(state, key) for key in ("step", "phase", "started", "best_db", "best_step", "seconds")}
    facts |= {"history": asdict(state.history), "fingerprint": fingerprint(*configs)}
    arrays = {"facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}
    arrays |= {f"variable{i:04}": variable.numpy() for i, variable in enumerate(variables)}
    arrays |= {f"best{i:04}": value for i, value in enumerate(state.best)}
    content = npz_bytes(arrays)
    write_file(path, lambda staging: staging.write_bytes(content))


def read_checkpoint(path: Path, configs: tuple[SignalConfig, TrainConfig], variables: list[Any]) -> "State":
    """Set the variables to the checkpoint's values and return its state; a fresh state if there is none to use."""
    from qcskit.training.loop import History, State

    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        facts = json.loads(arrays.pop("facts").tobytes())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return State()
    if facts.pop("fingerprint", None) != fingerprint(*configs):
        return State()
    best = [arrays[name] for name in sorted(arrays) if name.startswith("best")]
    values = [arrays[name] for name in sorted(arrays) if name.startswith("variable")]
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return State(**{**facts, "history": History(**facts["history"]), "best": best})
