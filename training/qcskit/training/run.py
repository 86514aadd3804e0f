"""A training run on disk: `run/` holds model.keras and metrics.json, which `export` reads."""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.codec.files import (
    check_named,
    check_replaceable,
    locked,
    put_back,
    refusing,
    remove_file,
    sealed,
    sha256,
    write_directory,
)
from qcskit.codec.json_file import read_json, why_invalid
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, measurement_matrix, recorded_windows
from qcskit.training.config import WITHOUT_ENCODER, TrainConfig
from qcskit.training.hooks import NO_HOOKS, Hooks, hooks_of

RUN_VERSION = 1
MARKER = "metrics.json"
"""What a run is, and which files it consists of."""


@dataclass(frozen=True)
class Run:
    """A finished training: the Keras model and what is known about it. hooks: the user's own functions."""

    path: Path
    model: Any
    signal: SignalConfig
    train: TrainConfig
    metrics: dict[str, Any]
    hooks: Hooks = NO_HOOKS

    @cached_property
    def source(self) -> Any:
        """Its `qcskit.training.source.Source`: where frames come from, and what they lose."""
        from qcskit.training.source import Source

        return Source(self.signal, self.hooks)

    def require_exportable(self) -> None:
        """Raise QcsError if a device cannot run this codec: it has no EncNet, or a quantizer of its own per output."""
        if self.train.variant in WITHOUT_ENCODER:
            raise QcsError(
                f"run '{self.path}' is a {self.train.variant}: it has no encoder to export; train another variant"
            )
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
    if train.module:
        train = train.model_copy(update={"module": str(Path(train.module).resolve())})
    measurement_matrix(signal)  # a bad file fails before TensorFlow loads
    for part in ("train", "validation", "test") if signal.source == "recorded" else ():
        recorded_windows(signal, part)
    check_replaceable(path, MARKER)
    check_named(path, train.name, MARKER)
    with locked(path):
        return _trained(path, train, signal, progress, tensorboard)


def _trained(
    path: Path,
    train: TrainConfig,
    signal: SignalConfig,
    progress: Callable[[int, float, float], None],
    tensorboard: Path | None,
) -> dict[str, Any]:
    from qcskit.training import loop, networks
    from qcskit.training.backend import keras, tf
    from qcskit.training.checkpoint import checkpoint_path
    from qcskit.training.source import Source

    tf.config.experimental.enable_op_determinism()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # already in use by this process
            tf.config.experimental.set_memory_growth(gpu, True)  # so that several trainings fit
    keras.utils.set_random_seed(train.seed)
    model = networks.build_model(train, signal)
    state = loop.train(model, train, signal, progress, checkpoint_path(path), tensorboard)
    source = Source(signal, hooks_of(train.module, train.module_sha256))
    x, y = source.test(train.test_frames, train.seed + seeds.TEST)
    x_hat = loop.hard_estimate(networks.parts(model), y)
    metrics = {
        "run_version": RUN_VERSION,
        "signal": signal.model_dump(),
        "train": train.model_dump(mode="json"),
        "nmse_hard_db": nmse_db(x, x_hat),
        "metric": source.metric(x, x_hat),
        "hooks": sorted(source.hooks.functions),
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


_AGAIN = "train one with 'qcskit train'"


def read_metrics(path: Path) -> tuple[dict[str, Any], "_Facts"]:
    """Return metrics.json of a run directory, as it is and checked; loads no TensorFlow.

    Raises QcsError if the run is missing, incomplete or of another version, or the folder is something else.
    """
    again = _AGAIN
    put_back(path)
    if not path.is_dir():
        raise QcsError(f"run '{path}' does not exist; {again}")
    if (path / "manifest.json").is_file():
        raise QcsError(f"'{path}' is a bundle, made already: go on with 'qcskit simulate {path}', or export a run")
    if (path / "run" / MARKER).is_file() and not (path / MARKER).is_file():
        raise QcsError(f"'{path}' is no run, but holds one: give '{path / 'run'}'")
    try:
        metrics = read_json(path / MARKER, f"run '{path}': metrics.json")
    except QcsError as error:
        raise QcsError(f"{error}; {again}") from None
    if not isinstance(metrics, dict) or metrics.get("run_version") != RUN_VERSION:
        found = metrics.get("run_version") if isinstance(metrics, dict) else "unknown"
        raise QcsError(f"run '{path}' is of version {str(found)[:20]}, expected {RUN_VERSION}; {again}")
    try:
        return metrics, _Facts.model_validate(metrics)
    except ValidationError as error:
        raise QcsError(f"run '{path}': metrics.json: {why_invalid(error)}; {again}") from None


def read_run(path: Path) -> Run:
    """Open a run directory, and execute the module that its metrics.json names if its SHA-256 is the one there.

    Raises QcsError if the run is missing, incomplete or of another version, or the module is another one.
    """
    again = _AGAIN
    metrics, facts = read_metrics(path)
    signal, train, content = facts.signal, facts.train, _content(path, facts, again)
    import qcskit.training.networks  # noqa: F401  (registers the layers)

    hooks = hooks_of(train.module, train.module_sha256)  # registers layers of the user's own
    model = load_keras(content, f"run '{path}': model.keras", again)
    return Run(path, model, signal, train, metrics, hooks)


def load_keras(content: bytes, where: str, remedy: str) -> Any:
    """Return the model of a .keras file's content. Raises QcsError, which says what to do, if it cannot be loaded."""
    from qcskit.training.backend import keras

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        file.write_bytes(content)
        try:
            return keras.saving.load_model(file, compile=False)
        except Exception as error:  # whatever Keras, h5py and zipfile raise at a file that is none of theirs
            said = " ".join(str(error).replace(str(file), "the file").split())[:200]
            raise QcsError(f"{where} cannot be loaded ({said}); {remedy}") from None


class _Facts(BaseModel):
    """What of metrics.json is used. files: SHA-256 by name."""

    signal: SignalConfig
    train: TrainConfig
    nmse_hard_db: FiniteFloat
    test_frames: int = Field(ge=1)
    rate_bits: FiniteFloat
    history: dict[str, list[FiniteFloat]]
    tools: dict[str, str]
    files: dict[str, str] = Field(default_factory=dict)


def _content(path: Path, facts: _Facts, again: str) -> bytes:
    """Return model.keras. Raises QcsError if it is missing or not the one of this run."""
    try:
        content = (path / "model.keras").read_bytes()
    except OSError as error:
        raise QcsError(f"run '{path}': model.keras cannot be read: {error.strerror or error}; {again}") from None
    if facts.files.get("model.keras", sha256(content)) != sha256(content):
        raise QcsError(f"run '{path}': model.keras is not the one of this run (sha256 differs); {again}, or export a "
                       "model of your own by its file")  # fmt: skip
    return content
