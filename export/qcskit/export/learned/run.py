"""From a run directory to a bundle: choose ranges, quantize, fine-tune the decoder, write everything."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.bundle import Manifest
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.files import check_replaceable
from qcskit.codec.learned.activations import ACTIVATIONS, BOUNDED
from qcskit.codec.learned.bundle import PROFILES, Facts
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig, sensed, source_arrays
from qcskit.codec.signal import draw_frames, test_frames
from qcskit.export.config import ExportConfig
from qcskit.export.learned.decoder import decoder_flatbuffer
from qcskit.export.learned.encoder import Encoder, build_encoder
from qcskit.export.learned.flatbuffer import encoder_flatbuffer, measured_arena_bytes
from qcskit.export.learned.fold import AccumulatorError, Profile
from qcskit.export.learned.loss import explain_loss
from qcskit.export.learned.quantize import FloatEncoder, Ranges
from qcskit.export.learned.tflm_text import tflm_files
from qcskit.export.writer import Draft, measured, write_bundle

Frames = tuple[NDArray[np.float64], NDArray[np.float64]]
Progress = Callable[[str, int, int], None]
"""progress(stage, done, total)"""
_ALIKE = 2.0
"""Ratio of input ranges up to which one front end serves all inputs, as cheap as can be."""
_FINETUNE_GAIN_DB = 0.3
"""What the fine-tuning of a decoder gives back at most: a profile that needs more is not worth it."""
_SCREENED_FRAMES = 20_000
_HEADROOM_16 = 2.0
"""How much further than the largest |y| seen 16-bit inputs reach."""


@dataclass(frozen=True)
class Job:
    """One export: run and its stages, the calibration frames (x, y) of its training part, settings."""

    run: Any
    stages: Any
    calibration: Frames
    config: ExportConfig
    adc: AdcConfig
    progress: Progress


def export_run(
    run_path: Path, out: Path, config: ExportConfig, progress: Progress, adc: AdcConfig = UNKNOWN_ADC
) -> Manifest:
    """Write the bundle of a run to `out` in one rename and return its manifest.

    Raises CheckFailedError if integers cost more than `max_loss_db`, and says where it is lost.
    """
    from qcskit.training.networks import parts
    from qcskit.training.run import read_run

    check_replaceable(out)
    run = read_run(run_path)
    run.require_exportable()
    seed = run.train.seed + seeds.CALIBRATION
    calibration = draw_frames(run.signal, config.calibration_frames, seed, part="train")
    job = Job(run, parts(run.model), calibration, config, adc, progress)
    draft = choose_profile(job)
    progress("write", 0, 1)
    manifest = write_bundle(out, draft, config.golden_frames, run.train.seed)
    progress("write", 1, 1)
    return manifest


def choose_profile(job: Job) -> Draft:
    """Return the draft in the profile that is asked for; auto: the first that keeps `auto_loss_db`, else the best.

    In the order of what they cost the device; tflm comes before native because TFLite Micro computes the same bytes.
    Raises CheckFailedError if it loses more than `max_loss_db`.
    """
    config, decnet = job.config, job.stages.decnet
    trained = decnet.get_weights()
    made: list[tuple[float, Draft, Encoder]] = []
    skipped: dict[str, float] = {}
    profiles: tuple[Any, ...] = tuple(PROFILES) if config.profile == "auto" else (config.profile,)
    tried: dict[str, float] = {}
    for profile in profiles:
        decnet.set_weights(trained)
        named = job if len(profiles) == 1 else replace(job, progress=_named(job.progress, profile))
        try:
            encoder = choose_ranges(named, read_encoder(job), profile)
        except AccumulatorError:
            if profile == profiles[-1] and not made:
                raise
            continue
        before = calibration_loss_db(job, encoder) if profile != profiles[-1] else 0.0
        if before > config.auto_loss_db + _FINETUNE_GAIN_DB:
            skipped[profile] = round(before, 3)
            continue
        draft = deploy(named, encoder)
        tried[profile] = round(float(draft.nmse.deployed_db or 0.0) - float(draft.nmse.float_db or 0.0), 3)
        made.append((tried[profile], draft, encoder))
        if tried[profile] <= config.auto_loss_db:
            break
    loss_db, draft, encoder = min(made, key=lambda found: found[0])
    if loss_db > config.max_loss_db and not config.allow_loss:
        decnet.set_weights(trained)
        frames = test_frames(job.run.signal, _SCREENED_FRAMES, job.run.train.seed + seeds.TEST)
        raise CheckFailedError(explain_loss(job, encoder, loss_db, frames))
    return replace(draft, facts=draft.facts.model_copy(update={"loss_db": tried, "skipped_db": skipped}))


def _named(progress: Progress, profile: str) -> Progress:
    return lambda stage, done, total: progress(f"{profile}: {stage}", done, total)


def calibration_loss_db(job: Job, encoder: Encoder) -> float:
    """Return what the integers cost on calibration frames, the decoder as it was trained."""
    from qcskit.training.loop import hard_nmse_db

    x, y = (values[:_SCREENED_FRAMES] for values in job.calibration)
    levels = job.stages.shq.quantizer()[1].astype(np.float32)
    return nmse_db(x, job.stages.decnet(levels[encoder.index(y)]).numpy()) - hard_nmse_db(job.stages, x, y)


def deploy(job: Job, encoder: Encoder) -> Draft:
    """Fine-tune the decoder in place on exact indices, and measure on fresh frames."""
    from qcskit.training.finetune import finetune_decoder
    from qcskit.training.loop import hard_nmse_db

    run, stages, config, progress = job.run, job.stages, job.config, job.progress
    x, y = test_frames(run.signal, config.test_frames, run.train.seed + seeds.TEST)
    # The training's own test used the same frames; other counts are measured here, before the decoder changes.
    known = len(x) == run.metrics["test_frames"]
    float_db = float(run.metrics["nmse_hard_db"]) if known else hard_nmse_db(stages, x, y)
    _, levels = stages.shq.quantizer()
    if config.finetune_steps:
        finetune_decoder(
            stages.decnet, levels, encoder.index, run.signal, config.finetune_steps, config.finetune_rate,
            run.train.seed, progress=lambda step: progress("fine-tune decoder", step, config.finetune_steps),
        )  # fmt: skip
    draft = drafted(job, encoder)
    return replace(draft, nmse=measured(draft.codec(), x, y, float_db))


def drafted(job: Job, encoder: Encoder) -> Draft:
    """Return the draft of an encoder with the decoder as it is now, nothing measured yet."""
    run, stages = job.run, job.stages
    thresholds, levels = stages.shq.quantizer()
    trained = {key: run.metrics["train"][key] for key in ("variant", "seed", "steps", "batch")}
    trained |= {"finetune_steps": job.config.finetune_steps, "nmse_hard_db": run.metrics["nmse_hard_db"]}
    name = job.config.name or run.train.name
    draft = encoder_draft(name, encoder, thresholds, levels)
    decoder = decoder_flatbuffer(stages.decnet, levels, encoder.tables.outputs)
    facts = draft.facts.model_copy(update={"training": trained, "history": run.metrics["history"]})
    tools = {**run.metrics["tools"], **draft.tools}
    source = source_arrays(run.signal, encoder.signal, job.config.test_windows)
    return replace(draft, facts=facts, files={**draft.files, "decoder.tflite": decoder}, tools=tools, source=source)


def encoder_draft(name: str, encoder: Encoder, thresholds: NDArray[np.float64], levels: NDArray[np.float64]) -> Draft:
    """Return the draft of an encoder without a decoder and without a source."""
    tables, packing, signal = encoder.tables, encoder.tables.packing, encoder.signal
    flatbuffer = encoder_flatbuffer(encoder.layers, f"qcskit {name}")
    files, arena = {"encoder.tflite": flatbuffer}, None
    if encoder.profile != "native":  # what TFLM computes is another encoder than the native one
        arena = measured_arena_bytes(flatbuffer)
        texts = tflm_files(name, encoder, thresholds, flatbuffer)
        files |= {f"c/{file}": text.encode() for file, text in texts.items()}
    facts = Facts.model_validate({
        "arithmetic": encoder.arithmetic, "profile": encoder.profile, "activation": encoder.layers[0].activation.name,
        "outputs": tables.outputs, "levels": tables.levels, "widths": list(tables.widths),
        "packed_bits": packing.packed_bits, "input_grid": encoder.input_grid, "thresholds": thresholds.tolist(),
        "quantizer_levels": levels.tolist(), "arena_bytes": arena, "input_ranges": encoder.input_ranges,
    })  # fmt: skip
    return Draft(
        name, tables.model_id, facts, signal, encoder.adc, tables.inputs, packing.packed_bytes,
        packing.packed_bits / signal.n, tables.to_arrays(), files, tools={"tflite-micro": version("tflite-micro")},
    )  # fmt: skip


def read_encoder(job: Job) -> FloatEncoder:
    """Return EncNet as arrays; the peaks of its outputs come from the calibration frames."""
    layers, thresholds, where = job.stages.encnet.layers, job.stages.shq.quantizer()[0], f"run '{job.run.path}'"
    activations = tuple(layer.activation.__name__ for layer in layers)
    for number, activation in enumerate(activations):
        allowed = BOUNDED if number == len(layers) - 1 else tuple(ACTIVATIONS)
        if activation not in allowed:
            raise QcsError(f"{where}: EncNet layer {number} ends in '{activation}', which the integer encoder "
                           f"does not compute; train with one of: {', '.join(allowed)}")  # fmt: skip
    peaks, moments, value = [], [], job.calibration[1].astype(np.float32)
    for layer in layers:
        augmented = np.concatenate([value, np.ones((len(value), 1))], axis=1)
        moments.append(augmented.T @ augmented / len(value))
        value = np.asarray(layer(value))
        peaks.append(float(np.abs(value).max()))
    # An odd EncNet has no biases.
    biases = tuple(layer.bias.numpy() if layer.use_bias else np.zeros(layer.units, np.float32) for layer in layers)
    return FloatEncoder(
        tuple(layer.kernel.numpy().T for layer in layers),
        biases,
        thresholds,
        activations,
        tuple(peaks),
        tuple(moments),
    )


def choose_ranges(job: Job, encoder: FloatEncoder, profile: Profile) -> Encoder:
    """Return the integer encoder whose three ranges give the lowest NMSE on calibration frames (coordinate search)."""
    (x, y), config = job.calibration, job.config
    levels = job.stages.shq.quantizer()[1].astype(np.float32)
    candidates = range_candidates(encoder, config, profile, y)
    chosen = {key: values[len(values) // 2] for key, values in candidates.items()}
    searched = {key: values for key, values in candidates.items() if len(values) > 1}
    total, done = sum(len(values) for values in searched.values()), 0
    for key, values in searched.items():
        scores = []
        for value in values:
            index = built(job, encoder, Ranges(**{**chosen, key: value}), profile).index(y)
            scores.append(nmse_db(x, job.stages.decnet(levels[index]).numpy()))
            done += 1
            job.progress("choose ranges", done, total)
        chosen[key] = values[int(np.argmin(scores))]
    return built(job, encoder, Ranges(**chosen), profile)


def built(job: Job, encoder: FloatEncoder, ranges: Ranges, profile: Profile) -> Encoder:
    """Return the integer encoder behind the ADC of the configuration; one left to be chosen covers the input range."""
    return build_encoder(encoder, ranges, *sensed(job.run.signal, job.adc, ranges.input), profile)


def range_candidates(
    encoder: FloatEncoder, config: ExportConfig, profile: Profile, y: NDArray[np.float64]
) -> dict[str, tuple[Any, ...]]:
    """Return the candidates of each range; one candidate where the range has no effect. y: (frames, M)."""
    if profile == "tflm16":  # its grids need no choice, and its input has room for what was never seen
        reach = _HEADROOM_16 * max(float(np.abs(y).max()), 1e-6)
        return {"inputs": ((reach,),), "hidden": (1.0,), "last": (1.0,)}
    layers = [encoder.activation(number) for number in range(len(encoder.weights))]
    hidden, last = layers[:-1], layers[-1]
    unbounded = not all(activation.bounded for activation in hidden)
    free = any(activation.fused == "NONE" or not activation.bounded for activation in hidden)
    ranges = config.relu_ranges if unbounded else config.hidden_ranges
    return {
        "inputs": tuple(input_ranges(y, quantile) for quantile in config.input_quantiles),
        "hidden": ranges if free else (1.0,),
        "last": config.last_ranges if last.fused == "NONE" and profile == "tflm" else (1.0,),
    }


def input_ranges(y: NDArray[np.float64], quantile: float) -> tuple[float, ...]:
    """Return what covers this part of |y| (frames, M): for every input, or one for all if they are much alike."""
    size = np.abs(y)
    own = np.maximum(np.quantile(size, quantile, axis=0), 1e-6)
    if own.max() <= _ALIKE * own.min():
        return (float(np.quantile(size, quantile)),)
    return tuple(float(reach) for reach in own)
