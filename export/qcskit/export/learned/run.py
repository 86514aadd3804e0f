"""From a model to a bundle: choose ranges, quantize, fine-tune the decoder, measure, write everything."""

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
from qcskit.codec.files import check_named, check_replaceable
from qcskit.codec.learned.bundle import PROFILES, Facts
from qcskit.codec.sensor import UNKNOWN_ADC, Adc, AdcConfig, SignalFacts, converter_for, sensed, source_arrays
from qcskit.export.config import ExportConfig
from qcskit.export.learned.decoder import decoder_flatbuffer
from qcskit.export.learned.encoder import Encoder, build_encoder
from qcskit.export.learned.flatbuffer import encoder_flatbuffer, measured_arena_bytes
from qcskit.export.learned.fold import Profile, ProfileError
from qcskit.export.learned.job import Array, Frames, Index, Job, Pairs, Progress, Scales, pair_facts
from qcskit.export.learned.loss import explain_loss
from qcskit.export.learned.quantize import FloatEncoder, Ranges
from qcskit.export.learned.tflm_text import tflm_files
from qcskit.export.writer import Draft, measured, write_bundle

_ALIKE = 2.0
"""Ratio of input ranges up to which one front end serves all inputs, as cheap as can be."""
_FINETUNE_GAIN_DB = 0.3
"""What the fine-tuning of a decoder gives back at most: a profile that needs more is not worth it."""
_SCREENED_FRAMES = 20_000
_HEADROOM_16 = 2.0
"""How much further than the largest |y| seen 16-bit inputs reach."""


@dataclass(frozen=True)
class RunSource:
    """The frames of a training run."""

    run: Any

    def test(self, frames: int) -> Frames:
        """Return fresh frames; of a recording each test window once."""
        return Frames(*self.run.source.test(frames, self.run.train.seed + seeds.TEST))

    def sensed(self, adc: AdcConfig, reach: float) -> tuple[SignalFacts, Adc]:
        """Return the facts of source and converter."""
        return sensed(self.run.signal, adc, reach)

    def arrays(self, signal: SignalFacts, windows: int) -> dict[str, NDArray[Any]]:
        """Return Φ and test windows."""
        return source_arrays(self.run.signal, signal, windows)

    def finetune(self, decoder: Any, encode: Callable[[Array], Index], job: Job) -> None:
        """Train the decoder in place on fresh frames of the training part, with the loss of the training."""
        from qcskit.export.learned.tune import tune
        from qcskit.training.finetune import material_of

        source = self.run.source
        tune(
            job, decoder, encode, material_of(source, job.seed), loss=source.loss if source.hooks.has("loss") else None
        )


@dataclass(frozen=True)
class DrawnSource(RunSource):
    """The frames of a training run whose user draws them himself: pairs, of which nobody knows how y comes of x."""

    scales: Scales

    def test(self, frames: int) -> Frames:
        """Return fresh frames."""
        return self.scales.own(self._pairs(frames))

    def sensed(self, adc: AdcConfig, reach: float) -> tuple[SignalFacts, Adc]:
        """Return the facts of source and converter."""
        facts = pair_facts(self.run.signal.n, self.run.signal.m, self.scales)
        return facts, converter_for(facts, adc, False, reach, recorded=False)

    def arrays(self, signal: SignalFacts, windows: int) -> dict[str, NDArray[Any]]:
        """Return test pairs."""
        x, y = self._pairs(windows)
        return {"phi": np.empty((0, signal.n)), "windows": x, "measured": y}

    def finetune(self, decoder: Any, encode: Callable[[Array], Index], job: Job) -> None:
        """Train the decoder in place on fresh frames of the training part, with the loss of the training."""
        super().finetune(decoder, lambda y: encode(self.scales.own_y(y)), job)

    def _pairs(self, frames: int) -> Pairs:
        return Pairs(*self.run.source.test(frames, self.run.train.seed + seeds.TEST))


def export_run(
    run_path: Path, out: Path, config: ExportConfig, progress: Progress, adc: AdcConfig = UNKNOWN_ADC
) -> Manifest:
    """Write the bundle of a run to `out` in one rename and return its manifest.

    Raises CheckFailedError if integers cost more than `max_loss_db`, and says where it is lost.
    """
    from qcskit.training.run import read_run

    check_replaceable(out)
    return export_job(out, run_job(read_run(run_path), config, progress, adc))


def run_job(run: Any, config: ExportConfig, progress: Progress, adc: AdcConfig = UNKNOWN_ADC) -> Job:
    """Return the export of an opened run. Raises QcsError if a device cannot run its encoder."""
    from qcskit.export.learned.keras_model import read_keras_model

    run.require_exportable()
    seed = run.train.seed
    calibration = Pairs(*run.source.frames(config.calibration_frames, seed + seeds.CALIBRATION, "train"))
    source, frames, where = RunSource(run), Frames(*calibration), f"run '{run.path}'"
    parts = read_keras_model(run.model, where)
    ends = parts.layers[0].weights.shape[1], parts.decoder.output_shape[-1] if parts.decoder else 0
    if ends != (run.signal.m, run.signal.n):
        raise QcsError(f"{where}: its model takes {ends[0]} and gives {ends[1]} numbers, metrics.json says m = "
                       f"{run.signal.m} and n = {run.signal.n}; train again")  # fmt: skip
    if run.hooks.has("draw"):
        scales = Scales(0.0, 1.0, float(calibration.y.mean()), float(calibration.y.std()) or 1.0)
        source, frames, parts = DrawnSource(run, scales), scales.own(calibration), parts.taking(scales.y)
    trained = {key: run.metrics["train"][key] for key in ("variant", "seed", "steps", "batch")}
    trained |= {"finetune_steps": config.finetune_steps, "nmse_hard_db": run.metrics["nmse_hard_db"]}
    return Job(
        where, config.name or run.train.name, seed, parts, source,
        frames, config, adc, progress,
        float_db=(float(run.metrics["nmse_hard_db"]), int(run.metrics["test_frames"])),
        facts={"training": trained, "history": run.metrics["history"]}, tools=run.metrics["tools"],
    )  # fmt: skip


def export_job(out: Path, job: Job) -> Manifest:
    """Write the bundle of a job to `out` in one rename and return its manifest; the model is left as it was."""
    check_named(out, job.name)
    decoder = job.parts.decoder
    trained = decoder.get_weights() if decoder else []
    try:
        draft = choose_profile(job)
    finally:
        if decoder:
            decoder.set_weights(trained)
    job.progress("write", 0, 1)
    manifest = write_bundle(out, draft, job.config.golden_frames, job.seed)
    job.progress("write", 1, 1)
    return manifest


def choose_profile(job: Job) -> Draft:
    """Return the draft in the profile that is asked for; auto: the first that keeps `auto_loss_db`, else the best.

    In the order of what they cost the device; tflm comes before native because TFLite Micro computes the same bytes.
    Raises CheckFailedError if it loses more than `max_loss_db`.
    """
    config, decoder = job.config, job.parts.decoder
    trained = decoder.get_weights() if decoder else []
    made: list[tuple[float, Draft, Encoder]] = []
    skipped: dict[str, float] = {}
    profiles: tuple[Any, ...] = tuple(PROFILES) if config.profile == "auto" else (config.profile,)
    tried: dict[str, float] = {}
    for profile in profiles:
        if decoder:
            decoder.set_weights(trained)
        named = job if len(profiles) == 1 else replace(job, progress=_named(job.progress, profile))
        try:
            encoder = choose_ranges(named, job.network(), profile)
        except ProfileError:
            if profile == profiles[-1] and not made:
                raise
            continue
        before = calibration_loss_db(job, encoder) if profile != profiles[-1] else 0.0
        if before > config.auto_loss_db + _FINETUNE_GAIN_DB:
            skipped[profile] = round(before, 3)
            continue
        loss_db, draft = deploy(named, encoder)
        tried[profile] = round(loss_db, 3)
        made.append((tried[profile], draft, encoder))
        if tried[profile] <= config.auto_loss_db:
            break
    loss_db, draft, encoder = min(made, key=lambda found: found[0])
    if loss_db > config.max_loss_db and not config.allow_loss:
        if decoder:
            decoder.set_weights(trained)
        raise CheckFailedError(explain_loss(job, encoder, loss_db, _judging(job, _SCREENED_FRAMES)))
    return replace(draft, facts=draft.facts.model_copy(update={"loss_db": tried, "skipped_db": skipped}))


def _named(progress: Progress, profile: str) -> Progress:
    return lambda stage, done, total: progress(f"{profile}: {stage}", done, total)


def _judging(job: Job, frames: int) -> Frames:
    """Return the frames that say what integers lose: those of the test, else of the calibration."""
    found = job.source.test(frames)
    return job.calibration if found is None else found


def calibration_loss_db(job: Job, encoder: Encoder) -> float:
    """Return what the integers cost on calibration frames, the decoder as it was trained."""
    x, y = job.calibration
    frames = Frames(None if x is None else x[:_SCREENED_FRAMES], y[:_SCREENED_FRAMES])
    return job.index_db(encoder.index(frames.y), frames) - job.index_db(job.float_index(frames.y), frames)


def deploy(job: Job, encoder: Encoder) -> tuple[float, Draft]:
    """Fine-tune the decoder in place on exact indices, and measure; return what integers cost in dB, and the draft."""
    parts, config = job.parts, job.config
    test, judging = job.source.test(config.test_frames), _judging(job, config.test_frames)
    # The training's own test used the same frames; other counts are measured here, before the decoder changes.
    known = job.float_db is not None and job.float_db[1] == len(judging.y)
    float_db = job.float_db[0] if known and job.float_db else job.index_db(job.float_index(judging.y), judging)
    pooled_db = (
        float_db if job.spread is None else replace(job, spread=None).index_db(job.float_index(judging.y), judging)
    )
    if config.finetune_steps and parts.decoder:
        job.source.finetune(parts.decoder, encoder.index, job)
    draft = drafted(job, encoder)
    if parts.decoder is None or test is None or test.x is None:
        nmse = measured(draft.codec(), None, judging.y)
        return job.index_db(encoder.index(judging.y), judging) - float_db, replace(draft, nmse=nmse)
    if job.spread is None:
        draft = replace(draft, nmse=measured(draft.codec(), test.x, test.y, float_db))
        return float(draft.nmse.deployed_db or 0.0) - float_db, draft
    draft = replace(draft, nmse=measured(draft.codec(), test.x, test.y, pooled_db))
    return job.index_db(encoder.index(test.y), test) - float_db, draft


def drafted(job: Job, encoder: Encoder) -> Draft:
    """Return the draft of an encoder with the decoder as it is now, nothing measured yet."""
    parts = job.parts
    draft = encoder_draft(job.name, encoder, parts.thresholds, parts.levels)
    files = dict(draft.files)
    if parts.decoder:
        files["decoder.tflite"] = decoder_flatbuffer(parts.decoder, parts.levels, encoder.tables.outputs)
    source = job.source.arrays(encoder.signal, job.config.test_windows)
    return replace(
        draft, facts=draft.facts.model_copy(update=dict(job.facts)), files=files, tools={**job.tools, **draft.tools},
        source=source,
    )  # fmt: skip


def encoder_draft(
    name: str, encoder: Encoder, thresholds: NDArray[np.float64], levels: NDArray[np.float64], flatbuffer: bytes = b""
) -> Draft:
    """Return the draft of an encoder without a decoder and without a source. flatbuffer: what it was read from."""
    tables, packing, signal = encoder.tables, encoder.tables.packing, encoder.signal
    flatbuffer = flatbuffer or encoder_flatbuffer(encoder.layers, f"qcskit {name}")
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


def choose_ranges(job: Job, encoder: FloatEncoder, profile: Profile) -> Encoder:
    """Return the integer encoder whose ranges give the lowest NMSE on calibration frames (coordinate search)."""
    y = job.calibration.y
    candidates = range_candidates(encoder, job.config, profile, y)
    chosen = {key: values[len(values) // 2] for key, values in candidates.items()}
    searched = {key: values for key, values in candidates.items() if len(values) > 1}
    total, done = sum(len(values) for values in searched.values()), 0
    for key, values in searched.items():
        scores = []
        for value in values:
            index = built(job, encoder, Ranges(**{**chosen, key: value}), profile).index(y)
            scores.append(job.index_db(index, job.calibration))
            done += 1
            job.progress("choose ranges", done, total)
        chosen[key] = values[int(np.argmin(scores))]
    return built(job, encoder, Ranges(**chosen), profile)


def built(job: Job, encoder: FloatEncoder, ranges: Ranges, profile: Profile) -> Encoder:
    """Return the integer encoder behind the ADC of the configuration; one left to be chosen covers the input range."""
    return build_encoder(encoder, ranges, *job.source.sensed(job.adc, ranges.input), profile)


def range_candidates(
    encoder: FloatEncoder, config: ExportConfig, profile: Profile, y: NDArray[np.float64]
) -> dict[str, tuple[Any, ...]]:
    """Return the candidates of each range; one candidate where the range has no effect. y: (frames, M)."""
    if profile == "tflm16":  # its grids need no choice, and its input has room for what was never seen
        reach = _HEADROOM_16 * max(float(np.abs(y).max()), 1e-6)
        return {"inputs": ((reach,),), "hidden": (1.0,), "last": (1.0,), "peak": (1.0,)}
    *hidden, last = [encoder.activation(number) for number in range(len(encoder.weights))]
    seen = [*hidden, *([last] if profile == "tflm" else [])]  # native has no output grid
    return {
        "inputs": tuple(input_ranges(y, quantile) for quantile in config.input_quantiles),
        "hidden": config.hidden_ranges if any(activation.operator for activation in hidden) else (1.0,),
        "last": config.last_ranges if last.operator and profile == "tflm" else (1.0,),
        "peak": config.relu_ranges if any(activation.needs_peak for activation in seen) else (1.0,),
    }


def input_ranges(y: NDArray[np.float64], quantile: float) -> tuple[float, ...]:
    """Return what covers this part of |y| (frames, M): for every input, or one for all if they are much alike."""
    size = np.abs(y)
    own = np.maximum(np.quantile(size, quantile, axis=0), 1e-6)
    if own.max() <= _ALIKE * own.min():
        return (float(np.quantile(size, quantile)),)
    return tuple(float(reach) for reach in own)
