"""From a run directory to a bundle: choose ranges, quantize, fine-tune the decoder, write everything."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import integer, wide
from qcskit.codec.bundle import (
    Adc,
    Manifest,
    NmseFacts,
    SignalFacts,
    check_replaceable,
    npz_bytes,
    sha256,
    write_directory,
)
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.litert import LiteRt
from qcskit.codec.metrics import nmse_db
from qcskit.codec.packing import Packing
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.export import c_text, int8
from qcskit.export.config import ExportConfig
from qcskit.export.decoder import decoder_flatbuffer
from qcskit.export.encoder import Encoder, build_encoder
from qcskit.export.flatbuffer import Activation, encoder_flatbuffer, measured_arena_bytes
from qcskit.export.tflm_glue import tflm_glue

CALIBRATION_SEED_OFFSET = 4_000_037
GOLDEN_SEED_OFFSET = 5_000_011
_PROFILES: tuple[int8.Profile, ...] = ("tflm", "native", "tflm16")
"""In the order in which `auto` tries them: tflm and native cost the device the same, 16-bit activations more."""
TEST_SEED_OFFSET = 2_000_003
"""The same fresh frames as the training's own test, so that float and int8 compare frame by frame."""

Progress = Callable[[str, int, int], None]
"""progress(stage, done, total)"""


@dataclass(frozen=True)
class Deployed:
    """One finished choice: the encoder, its fine-tuned decoder as a flatbuffer, and what both achieve."""

    encoder: Encoder
    decoder: bytes
    nmse: NmseFacts

    @property
    def loss_db(self) -> float:
        """How much worse than the trained float model."""
        return float(self.nmse.int8_db or 0.0) - float(self.nmse.float_db or 0.0)


def export_run(run_path: Path, out: Path, config: ExportConfig, progress: Progress) -> Manifest:
    """Write the bundle of a run to `out` in one rename and return its manifest.

    Raises CheckFailedError if profile is "auto" and no profile keeps `max_loss_db`.
    """
    from qcskit.training.networks import parts
    from qcskit.training.run import read_run

    check_replaceable(Path(out))
    run = read_run(run_path)
    run.require_exportable()
    stages = parts(run.model)
    thresholds, levels = stages.shq.quantizer()
    deployed = choose_profile(run, stages, config, progress)
    progress("write", 0, 1)
    name = config.name or run.train.name
    files = encoder_files(name, deployed.encoder, thresholds)
    files["decoder.tflite"] = deployed.decoder
    files["vectors.npz"] = golden_vectors(
        deployed.encoder, deployed.decoder, files["encoder.tflite"], run.signal, config, run.train.seed
    )
    manifest = _manifest(name, deployed.encoder, run, (thresholds, levels), deployed.nmse, files, config)
    files["manifest.json"] = (json.dumps(manifest.model_dump(), indent=1, allow_nan=False) + "\n").encode()
    write_directory(out, files)
    progress("write", 1, 1)
    return manifest


def choose_profile(run: Any, stages: Any, config: ExportConfig, progress: Progress) -> Deployed:
    """Return the deployment in the profile that the configuration asks for, or the first that keeps `max_loss_db`.

    In the order of what they cost the device; tflm comes before native because TFLite Micro computes the same bytes.
    """
    if config.profile != "auto":
        return deploy(run, stages, config, config.profile, progress)
    trained = stages.decnet.get_weights()
    tried = []
    for profile in _PROFILES:
        stages.decnet.set_weights(trained)
        try:
            deployed = deploy(run, stages, config, profile, _named(progress, profile))
        except int8.AccumulatorError as error:
            tried.append(f"{profile} impossible: {error}")
            continue
        if deployed.loss_db <= config.max_loss_db:
            return deployed
        tried.append(f"{profile} {deployed.loss_db:+.3f} dB")
    losses = ", ".join(tried)
    raise CheckFailedError(f"no arithmetic profile keeps the loss within {config.max_loss_db:g} dB ({losses}); raise "
                           f"export.max_loss_db or export.finetune_steps")  # fmt: skip


def _named(progress: Progress, profile: int8.Profile) -> Progress:
    return lambda stage, done, total: progress(f"{profile}: {stage}", done, total)


def deploy(run: Any, stages: Any, config: ExportConfig, profile: int8.Profile, progress: Progress) -> Deployed:
    """Choose ranges, fine-tune the decoder in place on exact indices, and measure on fresh frames."""
    from qcskit.training.finetune import finetune_decoder

    _, levels = stages.shq.quantizer()
    float_encoder = read_encoder(stages, run, config)
    encoder = choose_ranges(float_encoder, stages.decnet, levels, run.signal, config, run.train.seed, progress, profile)
    x, y = draw_frames(run.signal, config.test_frames, run.train.seed + TEST_SEED_OFFSET)
    # The training's own test used the same frames; other counts are measured here, before the decoder changes.
    known = config.test_frames == run.metrics["test_frames"]
    float_db = float(run.metrics["nmse_hard_db"]) if known else _float_nmse_db(run.model, x, y)
    if config.finetune_steps:
        finetune_decoder(
            stages.decnet, levels, encoder.index, run.signal, config.finetune_steps, config.finetune_rate,
            run.train.seed, progress=lambda step: progress("fine-tune decoder", step, config.finetune_steps),
        )  # fmt: skip
    decoder = decoder_flatbuffer(stages.decnet, levels, encoder.tables.outputs)
    int8_db = nmse_db(x, LiteRt(decoder).run(encoder.index(y).astype(np.int32)))
    nmse = NmseFacts(frames=config.test_frames, float_db=float_db, int8_db=int8_db)
    return Deployed(encoder, decoder, nmse)


def _bias(layer: Any) -> NDArray[np.float32]:
    """Return the biases of a layer; those of an odd EncNet, which has none, are 0."""
    return np.asarray(layer.bias.numpy() if layer.use_bias else np.zeros(layer.units), np.float32)


def read_encoder(stages: Any, run: Any, config: ExportConfig) -> int8.FloatEncoder:
    """Return EncNet as arrays; the peaks of its outputs come from calibration frames."""
    layers, thresholds = stages.encnet.layers, stages.shq.quantizer()[0]
    if not all(hasattr(layer, "kernel") for layer in layers):
        raise QcsError(f"run '{run.path}' has no EncNet (variant ce-decnet): there is no encoder to export")
    if thresholds.ndim != 1:
        raise QcsError(f"run '{run.path}': a quantizer per output cannot be exported; train with quantizer = shared")
    activations = tuple(layer.activation.__name__ for layer in layers)
    for number, activation in enumerate(activations):
        allowed = ("tanh", "hard_tanh") if number == len(layers) - 1 else get_args(Activation)
        if activation not in allowed:
            raise QcsError(f"run '{run.path}': EncNet layer {number} ends in '{activation}', which the integer encoder "
                           f"does not compute; train with one of: {', '.join(allowed)}")  # fmt: skip
    _, y = draw_frames(run.signal, config.calibration_frames, run.train.seed + CALIBRATION_SEED_OFFSET)
    peaks, value = [], y.astype(np.float32)
    for layer in layers:
        value = np.asarray(layer(value))
        peaks.append(float(np.abs(value).max()))
    return int8.FloatEncoder(
        tuple(layer.kernel.numpy().T for layer in layers), tuple(_bias(layer) for layer in layers),
        thresholds, activations, tuple(peaks),
    )  # fmt: skip


def choose_ranges(
    encoder: int8.FloatEncoder, decnet: Any, levels: NDArray[np.float64], signal: SignalConfig, config: ExportConfig,
    seed: int, progress: Progress, profile: int8.Profile = "tflm",
) -> Encoder:  # fmt: skip
    """Return the integer encoder whose three ranges give the lowest NMSE on calibration frames (coordinate search)."""
    x, y = draw_frames(signal, config.calibration_frames, seed + CALIBRATION_SEED_OFFSET, part="train")
    candidates = range_candidates(encoder, config, profile)
    chosen = {key: values[len(values) // 2] for key, values in candidates.items()}
    total, done = sum(len(values) for values in candidates.values() if len(values) > 1), 0

    def score(trial: dict[str, float]) -> float:
        index = build_encoder(encoder, int8.Ranges(**trial), config, profile).index(y)
        return nmse_db(x, decnet(levels[index].astype(np.float32)).numpy())

    for key, values in candidates.items():
        if len(values) == 1:
            continue
        scores = {}
        for value in values:
            scores[value] = score({**chosen, key: value})
            done += 1
            progress("choose ranges", done, total)
        chosen[key] = min(scores, key=scores.__getitem__)
    return build_encoder(encoder, int8.Ranges(**chosen), config, profile)


def range_candidates(
    encoder: int8.FloatEncoder, config: ExportConfig, profile: int8.Profile
) -> dict[str, tuple[float, ...]]:
    """Return the candidates of each range; one candidate where the range has no effect."""
    hidden = {encoder.activation(number) for number in range(len(encoder.weights) - 1)}
    last = encoder.activation(len(encoder.weights) - 1)
    hidden_ranges = config.relu_ranges if hidden & {"relu", "relu6"} else config.hidden_ranges
    if profile == "tflm16":  # its grids need no choice; the ADC's full scale does
        return {"input": config.input_ranges, "hidden": (1.0,), "last": (1.0,)}
    return {
        "input": config.input_ranges,
        "hidden": hidden_ranges if hidden - {"hard_tanh"} else (1.0,),
        "last": config.last_ranges if last == "tanh" and profile == "tflm" else (1.0,),
    }


def encoder_files(name: str, encoder: Encoder, thresholds: NDArray[np.float64]) -> dict[str, bytes]:
    """Return the flatbuffer, the tables and the C text, by file name."""
    tables = encoder.tables
    flatbuffer = encoder_flatbuffer(encoder.layers, f"qcskit {name}")
    arrays = wide.to_arrays(tables) if isinstance(tables, wide.WideTables) else integer.to_arrays(tables)
    header, source = encoder.c_text(name)
    files = {
        "encoder.tflite": flatbuffer,
        "tables.npz": npz_bytes(dict(arrays)),
        f"c/qcs_model_{name}.h": header.encode(),
        f"c/qcs_model_{name}.c": source.encode(),
    }
    if encoder.profile != "native":  # what TFLM computes is another encoder than the native one
        arena = measured_arena_bytes(flatbuffer)
        cuts = int8.output_cuts(thresholds, encoder.layers[-1].output_scale, encoder.layers[-1].output_zero_point)
        files[f"c/qcs_tflm_{name}.h"] = c_text.tflm_header(name, tables, flatbuffer, arena, cuts).encode()
        files["c/qcs_tflm_encoder.cc"] = tflm_glue(name, tables, flatbuffer).encode()
    return files


def golden_vectors(
    encoder: Encoder, decoder: bytes, flatbuffer: bytes, signal: SignalConfig, config: ExportConfig, seed: int
) -> bytes:
    """Return vectors.npz: x, y, counts, input (int8), counts_input, output (by TFLM), index, packed, x_hat."""
    from tflite_micro import runtime

    x, y = draw_frames(signal, config.golden_frames, seed + GOLDEN_SEED_OFFSET)
    counts = (np.rint(y / encoder.adc_scale) + config.adc_offset_counts).clip(-32768, 32767).astype(np.int16)
    inputs = encoder.quantize(y)
    interpreter = runtime.Interpreter.from_bytes(flatbuffer)
    outputs = []
    for row in inputs:
        interpreter.set_input(row[None, :], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
    output = np.stack(outputs)
    index = encoder.index(y)
    # A device that takes counts alone is given no other input.
    kept = {} if encoder.input_grid is None else {"input": inputs}
    return npz_bytes({
        **kept, "x": x, "y": y, "counts": counts, "output": output, "index": index,
        "counts_input": encoder.from_counts(counts),
        "packed": encoder.tables.packing.pack(index),
        "x_hat": LiteRt(decoder).run(index.astype(np.int32)),
    })  # fmt: skip


def _float_nmse_db(model: Any, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    from qcskit.training.loop import hard_nmse_db
    from qcskit.training.networks import parts

    return hard_nmse_db(parts(model), x, y)


def _manifest(
    name: str, encoder: Encoder, run: Any, quantizer: tuple[NDArray[np.float64], NDArray[np.float64]],
    nmse: NmseFacts, files: dict[str, bytes], config: ExportConfig,
) -> Manifest:  # fmt: skip
    tables, signal = encoder.tables, run.signal
    packing = Packing(tables.outputs, tables.levels)
    if packing.packed_bits >= 8 * 65536:
        raise QcsError("a packed vector exceeds 64 KiB")
    history = run.metrics["history"]
    return Manifest(
        name=name, model_id=tables.model_id, inputs=tables.inputs, outputs=tables.outputs, levels=tables.levels,
        widths=list(tables.widths), packed_bytes=packing.packed_bytes, packed_bits=packing.packed_bits,
        rate_bits=packing.packed_bits / signal.n, signal=SignalFacts(**signal.model_dump()),
        input_grid=encoder.input_grid, adc=Adc(scale=encoder.adc_scale, offset_counts=config.adc_offset_counts),
        thresholds=quantizer[0].tolist(), quantizer_levels=quantizer[1].tolist(),
        cost=encoder.cost.model_dump(), profile=encoder.profile, activation=encoder.layers[0].activation,
        arena_bytes=measured_arena_bytes(files["encoder.tflite"]) if encoder.profile != "native" else None, nmse=nmse,
        training={key: run.metrics["train"][key] for key in ("variant", "seed", "steps", "batch")}
        | {"finetune_steps": config.finetune_steps, "nmse_hard_db": run.metrics["nmse_hard_db"]},
        history=history,
        tools={**run.metrics["tools"], "qcskit": version("qcskit"), "tflite-micro": version("tflite-micro"),
               "numpy": np.__version__},
        files={file: sha256(content) for file, content in sorted(files.items())},
    )  # fmt: skip
