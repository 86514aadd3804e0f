"""A model of one's own → a bundle: any Keras model with an SHQ layer, trained by whatever loop.

What the model takes as y is in the user's own units; what it gives as x_hat too. The bundle keeps it so.
"""

import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.codec import codecs
from qcskit.codec.config import MODEL_NAME
from qcskit.codec.errors import QcsError
from qcskit.codec.files import check_replaceable
from qcskit.codec.interface import Codec
from qcskit.codec.sensor import UNKNOWN_ADC, Adc, AdcConfig, SignalFacts, converter_for
from qcskit.export.config import ExportConfig
from qcskit.export.learned.job import Array, Frames, Index, Job, Pairs, Progress, Scales, pair_facts, sampled_facts
from qcskit.export.learned.parts import ModelParts
from qcskit.export.learned.run import export_job

_VALIDATION = 0.15
"""Part of the pairs, their last, on which the fine-tuned decoder is chosen."""
_LEAST_PAIRS = 100
_LEAST_SEEN = 10
_ALIKE = 2.0
"""Ratio of the entries' standard deviations up to which they are taken for samples of one signal."""
_BATCH = 1000
_LEAST_SCALE = 1e-12
_LEAST_SPREAD = 1e-6
"""Of an entry, as part of the largest one's: it never moves."""
SEED = 0


@dataclass(frozen=True)
class OwnSource:
    """Frames that came with a model. direct: the device samples x itself. counts: y are whole numbers within int16.

    width: N. tested: pairs to measure on. learned: pairs to fine-tune on. seen: y in units, all that is known.
    """

    direct: bool
    counts: bool
    width: int
    scales: Scales
    tested: Pairs | None
    learned: Pairs | None
    seen: Array
    loss: Callable[[Any, Any], Any] | None = None

    def test(self, frames: int) -> Frames | None:
        """Return what the model is measured on."""
        return None if self.tested is None else self.scales.own(Pairs(*(part[:frames] for part in self.tested)))

    def sensed(self, adc: AdcConfig, reach: float) -> tuple[SignalFacts, Adc]:
        """Return the facts of source and converter."""
        own, inputs = self.scales, self.seen.shape[1]
        facts = pair_facts(self.width, inputs, own)
        if self.direct:
            facts = sampled_facts(self.width, own.x_offset, own.x_scale)
        return facts, converter_for(facts, adc, self.counts, reach, recorded=True)

    def arrays(self, signal: SignalFacts, windows: int) -> dict[str, NDArray[Any]]:
        """Return the test windows that travel in the bundle; y alone if no x is known."""
        tested = self.tested or Pairs(np.empty((0, self.width)), self.seen)
        x, y = (part[_spread(len(part), windows)] for part in tested)
        if self.direct:
            return {"phi": np.eye(self.width), "windows": x}
        return {"phi": np.empty((0, self.width)), "windows": x, "measured": y}

    def finetune(self, decoder: Any, encode: Callable[[Array], Index], job: Job) -> None:
        """Train the decoder in place on the pairs."""
        if self.learned is None:
            return
        from qcskit.export.learned.tune import tune
        from qcskit.training.finetune import Material

        own, scales, given = self.scales.own(self.learned), self.scales, self.loss
        x, y = np.asarray(own.x), own.y
        border = len(y) - round(_VALIDATION * len(y))

        def draw(frames: int, step: int) -> tuple[Array, Array]:
            chosen = np.random.default_rng([job.seed, step]).integers(0, border, frames)
            return x[chosen], y[chosen]

        def loss(x: Any, x_hat: Any) -> Any:
            if given is None:
                return ((x - x_hat) / np.asarray(job.spread, np.float32)) ** 2
            return given(*(scales.x_offset + scales.x_scale * part for part in (x, x_hat)))

        energy = float((x**2).sum(axis=1).mean()) or 1.0
        material = Material(draw, (x[border:], y[border:]), energy)
        tune(
            job,
            decoder,
            encode,
            material,
            loss=None if given is None and job.spread is None else loss,
            batch=min(_BATCH, border),
            compiled=False,
        )


def export_model(
    model: Any,
    calibration: ArrayLike | None = None,
    *,
    out: str | Path,
    pairs: tuple[ArrayLike, ArrayLike] | None = None,
    test: tuple[ArrayLike, ArrayLike] | None = None,
    loss: Callable[[Any, Any], Any] | None = None,
    name: str = "",
    config: ExportConfig | None = None,
    adc: AdcConfig = UNKNOWN_ADC,
    progress: Progress = lambda stage, done, total: None,
) -> Codec:
    """Write the bundle of a trained Keras model with an SHQ layer, and return its codec.

    model: a Functional or Sequential model, or the path of a .keras file. What stands before its SHQ layer is the
    encoder, what follows the decoder; without a decoder the bundle encodes only. calibration: y (frames, M) as the
    model takes them, or a series that is cut into such, by which the integers' ranges are chosen. pairs: (x, y) on
    which the decoder is fine-tuned to the integers; also the calibration if none is given. test: (x, y) to measure on,
    not seen in training; without it the NMSE is not measured. If x is y, the device samples x itself. loss:
    loss(x, x_hat) of tensors (frames, N) in your units, for the fine-tuning; default: squared error. adc: the
    converter; whole numbers within int16 are its counts.

    Raises QcsError in one line that says what cannot be exported and what would do; CheckFailedError if integers cost
    more than config.max_loss_db.

    >>> import keras, numpy as np
    >>> from qcskit.export import ExportConfig, export_model
    >>> from qcskit.training import SHQ
    >>> keras.utils.set_random_seed(1)
    >>> layers = [keras.layers.Dense(6, "tanh"), SHQ(8), keras.layers.Dense(6)]
    >>> model = keras.Sequential([keras.Input((6,)), *layers], name="mine")
    >>> model.compile(keras.optimizers.Adam(0.01), "mse")
    >>> x = np.random.default_rng(0).normal(0, 0.3, (5000, 6))
    >>> fitted = model.fit(x, x, epochs=2, verbose=0)
    >>> codec = export_model(model, test=(x, x), calibration=x, out="own", config=ExportConfig(finetune_steps=0))
    >>> codec
    <learned codec 'mine' ...: 6 counts to 3 bytes to 6 entries, 3 bits per entry, NMSE ... dB>
    """
    out = Path(out)
    check_replaceable(out)
    if loss is not None and not callable(loss):
        raise QcsError(f"loss is {loss!r}, expected a function loss(x, x_hat) such as keras.losses.mean_absolute_error")
    config = (config or ExportConfig.model_validate({})).model_copy(update={"name": name} if name else {})
    manifest = export_job(out, own_job(model, calibration, pairs, test, loss, config, adc, progress))
    if manifest.nmse.float_db is not None and manifest.nmse.float_db >= 0:
        warnings.warn(
            f"what the float model gives is worse than sending nothing (NMSE {manifest.nmse.float_db:.1f} dB): are x "
            f"and y in its units, and in this order?",
            stacklevel=2,
        )
    return codecs.open_codec(out)


def own_job(
    model: Any,
    calibration: ArrayLike | None,
    pairs: tuple[ArrayLike, ArrayLike] | None,
    test: tuple[ArrayLike, ArrayLike] | None,
    loss: Callable[[Any, Any], Any] | None,
    config: ExportConfig,
    adc: AdcConfig,
    progress: Progress,
) -> Job:
    """Return the export of a model of one's own; arguments as `export_model` takes them."""
    from qcskit.export.learned.keras_model import read_keras_model

    where = f"model '{model}'" if isinstance(model, (str, Path)) else f"model '{getattr(model, 'name', model)}'"
    stem = Path(model).stem if isinstance(model, (str, Path)) else str(getattr(model, "name", "model"))
    parts = read_keras_model(load_model(Path(model)) if isinstance(model, (str, Path)) else model, where)
    inputs = parts.layers[0].weights.shape[1]
    width = int(parts.decoder.output_shape[-1]) if parts.decoder else inputs
    ends = (inputs, width if parts.decoder else None)
    learned, tested = _pairs(pairs, "pairs", *ends), _pairs(test, "test", *ends)
    if calibration is not None:
        seen = rows_of(calibration, "calibration: y", inputs)
    elif learned is not None:
        seen = learned.y
    else:
        raise QcsError(
            f"{where}: give y as the model takes it, to choose the integers' ranges by: calibration or pairs"
        )
    if len(seen) < _LEAST_SEEN or np.ptp(seen) == 0.0:
        found = f"{len(seen)} rows" if len(seen) < _LEAST_SEEN else f"nothing but {seen.flat[0]:g}"
        raise QcsError(f"calibration: y holds {found}: give {_LEAST_SEEN} rows or more of what the device will see")
    if parts.decoder is None:
        tested = Pairs(seen, seen)  # what the device sees is all there is
    known = [given for given in (learned, tested) if given is not None]
    direct = parts.decoder is None or (bool(known) and all(np.array_equal(x, y) for x, y in known))
    scales = _scales(seen, learned or tested, direct)
    source = OwnSource(direct, holds_counts(seen), width, scales, tested, learned, seen, loss)
    judging, judged = learned if calibration is None else None, _spread(len(seen), config.calibration_frames)
    frames = Frames(None, scales.own_y(seen[judged]))
    if judging is not None:
        frames = scales.own(Pairs(judging.x[judged], judging.y[judged]))
    name = config.name or model_name(re.sub(r"^(sequential|functional|model)_\d+$", r"\1", stem))  # Keras counts
    job = Job(
        where, name, SEED, _on_own_scale(parts, scales), source, frames, config, adc, progress,
        spread=_spread_of(learned or tested, scales), tools=_tools(),
    )  # fmt: skip
    if np.ptp(job.outputs(frames.y)) == 0.0:
        raise QcsError(
            f"{where}: its encoder gives the same for every y of the calibration: is it trained, and on such y?"
        )
    return job


def load_model(path: Path) -> Any:
    """Return the model of a .keras file. Raises QcsError in one line if it cannot be loaded."""
    import qcskit.training.networks  # noqa: F401  (registers the layers)
    from qcskit.training.run import load_keras

    if not path.is_file():
        raise QcsError(f"model '{path}' does not exist")
    if not zipfile.is_zipfile(path):
        raise QcsError(f"model '{path}' cannot be loaded: it is no .keras file, or a damaged one; save it again with "
                       "model.save('NAME.keras')")  # fmt: skip
    remedy = (
        "a model with classes of your own, with a Lambda or of another Keras version: load it in Python, where they "
        "are known, and call qcskit.export.export_model"
    )
    return load_keras(path.read_bytes(), f"model '{path}'", remedy)


def model_name(stem: str) -> str:
    """Return a name for a bundle made of a file's or a model's.

    >>> model_name("My-Encoder v2"), model_name("2nd")
    ('my_encoder_v2', 'model_2nd')
    """
    word = re.sub(r"[^a-z0-9_]+", "_", stem.lower()).strip("_")
    word = word if word[:1].isalpha() else f"model_{word}".rstrip("_")
    word = word[:31].rstrip("_")
    assert re.fullmatch(MODEL_NAME, word), word
    return word


def holds_counts(y: Array) -> bool:
    """Tell whether these are ADC counts: whole numbers within int16."""
    return bool((y == np.rint(y)).all() and y.min() >= -32768 and y.max() <= 32767)


def rows_of(given: ArrayLike, what: str, width: int | None) -> Array:
    """Return finite rows (frames, width) of what was given; further axes of a frame are laid flat, a series is cut."""
    try:
        values = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise QcsError(f"{what} is no array of numbers") from None
    if values.ndim == 2 and values.shape[1] == 1:  # a column of a table
        values = values.ravel()
    if values.ndim == 1 and width is not None and len(values) >= width:
        values = values[: len(values) // width * width].reshape(-1, width)
    if values.ndim < 2 or not len(values):
        raise QcsError(f"{what} has the shape {values.shape}, expected (frames, {width or 'n'})")
    values = values.reshape(len(values), -1)
    if width is not None and values.shape[1] != width:
        raise QcsError(f"{what} has rows of {values.shape[1]} numbers, the model has {width}")
    if not np.isfinite(values).all():
        raise QcsError(f"{what}: row {np.argwhere(~np.isfinite(values))[0, 0]} holds NaN or infinity")
    return values


def _pairs(given: tuple[ArrayLike, ArrayLike] | None, what: str, inputs: int, width: int | None) -> Pairs | None:
    if given is None:
        return None
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise QcsError(f"{what}: give two arrays, (x, y), not {type(given).__name__}")
    x, y = rows_of(given[0], f"{what}: x", width), rows_of(given[1], f"{what}: y", inputs)
    if len(x) != len(y):
        raise QcsError(f"{what}: {len(x)} rows of x and {len(y)} of y")
    if np.ptp(x) == 0.0:
        raise QcsError(f"{what}: x is {x.flat[0]:g} everywhere: there is nothing to measure an error against")
    if what == "pairs" and len(x) < _LEAST_PAIRS:
        raise QcsError(f"{what}: {len(x)} rows, fine-tuning needs at least {_LEAST_PAIRS}")
    return Pairs(x, y)


def _scales(seen: Array, pairs: Pairs | None, direct: bool) -> Scales:
    """Return means and standard deviations; x as it is where it is not known."""
    y = float(seen.mean()), max(float(seen.std()), _LEAST_SCALE)
    if direct:
        return Scales(*y, *y)
    if pairs is None:
        return Scales(0.0, 1.0, *y)
    return Scales(float(pairs.x.mean()), max(float(pairs.x.std()), _LEAST_SCALE), *y)


def _spread_of(pairs: Pairs | None, scales: Scales) -> Array | None:
    """Return the standard deviation of each entry of x on the codec's own scale; None if they are much alike."""
    if pairs is None:
        return None
    own = pairs.x.std(axis=0) / scales.x_scale
    if own.max() <= _ALIKE * own.min():
        return None
    spread: Array = np.maximum(own, own.max() * _LEAST_SPREAD)
    return spread


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Return up to `most` places of `count`, evenly spread, each once."""
    return np.rint(np.linspace(0, count - 1, min(most, count))).astype(np.int64)


def _on_own_scale(parts: ModelParts, scales: Scales) -> ModelParts:
    """Return a model that takes and gives the codec's own scale."""
    import keras

    decoder = parts.decoder
    if decoder and (scales.x_offset, scales.x_scale) != (0.0, 1.0):
        start = keras.Input(decoder.input_shape[1:], name="levels", dtype="float32")
        scaled = keras.layers.Rescaling(
            1.0 / scales.x_scale, -scales.x_offset / scales.x_scale, name="own_scale", dtype="float32"
        )
        decoder = keras.Model(start, scaled(decoder(start)), name="decoder")
    return replace(parts.taking(scales.y), decoder=decoder)


def _tools() -> dict[str, str]:
    import keras
    import tensorflow as tf

    return {"tensorflow": tf.__version__, "keras": keras.__version__}
