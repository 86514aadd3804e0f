"""A training run on disk: `run/` holds model.keras and metrics.json, which `export` reads."""

import contextlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.codec.files import check_replaceable, locked, put_back, refusing, remove_file, sealed, write_directory
from qcskit.codec.signal import SignalConfig, measurement_matrix, recorded_windows, test_frames
from qcskit.training.config import TrainConfig

RUN_VERSION = 1
MARKER = "metrics.json"
"""What a run is, and which files it consists of."""


@dataclass(frozen=True)
class Run:
    """A finished training: the Keras model and what is known about it."""

    path: Path
    model: Any
    signal: SignalConfig
    train: TrainConfig
    metrics: dict[str, Any]

    def require_exportable(self) -> None:
        """Raise QcsError if a device cannot run this codec: it has no EncNet, or a quantizer of its own per output."""
        if self.train.variant == "ce-decnet":
            raise QcsError(f"run '{self.path}' is a ce-decnet: it has no encoder to export; train another variant")
        if self.train.quantizer == "per-output":
            raise QcsError(f"run '{self.path}' has one quantizer per output; export needs train.quantizer = 'shared'")


def train_run(
    path: Path,
    train: TrainConfig,
    signal: SignalConfig,
    progress: Callable[[int, float, float], None],
    tensorboard: Path | None = None,
) -> dict[str, Any]:
    """Train, test on fresh frames, write the run directory `path` in one go, and return its metrics.

    A training that was broken off goes on from the checkpoint beside `path`, if nothing in its configuration changed.
    tensorboard: folder for TensorBoard's event files. Raises QcsError if another run trains into `path`.
    """
    train = train.resolved(signal)
    if signal.recording:  # export reads it again, from wherever it is called
        signal = signal.model_copy(update={"recording": str(Path(signal.recording).resolve())})
    measurement_matrix(signal)  # a bad file fails before TensorFlow loads
    for part in ("train", "validation", "test") if signal.source == "recorded" else ():
        recorded_windows(signal, part)
    check_replaceable(path, MARKER)
    with locked(path):
        return _trained(path, train, signal, progress, tensorboard)


def _trained(
    path: Path,
    train: TrainConfig,
    signal: SignalConfig,
    progress: Callable[[int, float, float], None],
    tensorboard: Path | None,
) -> dict[str, Any]:
    keras, tf = _import_tensorflow()
    from qcskit.training import loop, networks
    from qcskit.training.checkpoint import checkpoint_path

    tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # already in use by this process
            tf.config.experimental.set_memory_growth(gpu, True)  # so that several trainings fit
    keras.utils.set_random_seed(train.seed)
    model = networks.build_model(train, signal)
    state = loop.train(model, train, signal, progress, checkpoint_path(path), tensorboard)
    x, y = test_frames(signal, train.test_frames, train.seed + seeds.TEST)
    metrics = {
        "run_version": RUN_VERSION,
        "signal": signal.model_dump(),
        "train": train.model_dump(mode="json"),
        "nmse_hard_db": loop.hard_nmse_db(networks.parts(model), x, y),
        "test_frames": len(x),
        "rate_bits": train.packing(signal).packed_bits / signal.n,
        "best_step": state.best_step,
        "train_seconds": round(state.seconds, 1),
        "device": "GPU" if gpus else "CPU",
        "history": state.history,
        "tools": {"tensorflow": tf.__version__, "keras": keras.__version__},
    }
    files = {"model.keras": _model_bytes(model)}
    write_directory(path, {**files, MARKER: sealed(metrics, files)}, MARKER)
    remove_file(checkpoint_path(path))
    return metrics


def _model_bytes(model: Any) -> bytes:
    """Return the .keras file of a model; Keras writes it to a path only."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        with refusing(file):
            model.save(file)
        return file.read_bytes()


def read_run(path: Path) -> Run:
    """Open a run directory. Raises QcsError if it is missing, incomplete or of another version."""
    again = "train one with 'qcskit train'"
    put_back(path)
    if not path.is_dir():
        raise QcsError(f"run '{path}' does not exist; {again}")
    try:
        metrics = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise QcsError(f"run '{path}': metrics.json cannot be read ({error}); {again}") from None
    if metrics.get("run_version") != RUN_VERSION:
        raise QcsError(f"run '{path}' is of version {metrics.get('run_version')}, expected {RUN_VERSION}; {again}")
    keras, _ = _import_tensorflow()
    import qcskit.training.networks  # noqa: F401  (registers the layers)

    try:
        model = keras.saving.load_model(path / "model.keras", compile=False)
    except (OSError, ValueError, TypeError) as error:
        raise QcsError(f"run '{path}': model.keras cannot be loaded ({error}); {again}") from None
    try:
        signal, train = SignalConfig(**metrics["signal"]), TrainConfig(**metrics["train"])
    except (KeyError, TypeError, ValidationError):
        raise QcsError(f"run '{path}': metrics.json holds settings this qcskit does not know; {again}") from None
    return Run(path, model, signal, train, metrics)


def _import_tensorflow() -> tuple[Any, Any]:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import keras
        import tensorflow as tf
    except ImportError:
        raise QcsError("training and export need TensorFlow; install it with: pip install 'qcskit[train]'") from None
    return keras, tf
