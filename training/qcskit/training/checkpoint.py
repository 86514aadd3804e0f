"""The state of a training, and how it is kept on disk: one .npz file, replaced in one rename, removed at the end."""

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.arrays import npz_bytes
from qcskit.codec.files import write_file
from qcskit.codec.signal import SignalConfig
from qcskit.training.backend import tf
from qcskit.training.config import TrainConfig

VERSION = 5


@dataclass
class State:
    """Everything besides the variables that a checkpoint keeps.

    started: the step at which the phase began. history: the live curve, one entry per call: step, soft_db (training
    NMSE), hard_db (that of the hard quantizer), steepness, mix; metric, if the user has one. best: the model's
    variables where best_score was reached: the lowest metric, or hard_db without one.
    """

    step: int = 0
    phase: int = 0
    started: int = 0
    best_score: float = np.inf
    best_step: int = 0
    seconds: float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)
    best: list[NDArray[Any]] = field(default_factory=list)


def checkpoint_path(run: Path) -> Path:
    """Return the file that keeps the state of the training whose run directory will be `run`."""
    return run.parent / f".{run.name}.checkpoint.npz"


def fingerprint(signal: SignalConfig, train: TrainConfig) -> str:
    """Return a hash of everything the result depends on; a checkpoint of another one is not used."""
    facts = [VERSION, signal.model_dump(mode="json"), train.model_dump(mode="json"), tf.__version__]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """The file of one training. owner: its fingerprint. variables: all whose values the state comprises."""

    path: Path
    owner: str
    variables: list[Any]

    def write(self, state: State) -> None:
        """Write counters, curve, best weights and the value of every variable."""
        facts = json.dumps({**vars(state), "best": [], "fingerprint": self.owner})
        values = [np.frombuffer(facts.encode(), np.uint8), *(v.numpy() for v in self.variables), *state.best]
        content = npz_bytes({f"{number:05}": value for number, value in enumerate(values)})
        write_file(self.path, lambda file: file.write(content))

    def read(self) -> State:
        """Set the variables to the file's values and return its state; a fresh state if there is none to use."""
        try:
            with np.load(self.path, allow_pickle=False) as archive:
                text, *values = (archive[name] for name in sorted(archive.files))
            facts = json.loads(text.tobytes())
        except (OSError, ValueError, zipfile.BadZipFile):
            return State()
        if facts.pop("fingerprint", None) != self.owner:
            return State()
        for variable in self.variables:
            variable.assign(values.pop(0))
        return State(**{**facts, "best": values})
