"""Float encoders with random weights, and what the TFLM runtime makes of a flatbuffer."""

import itertools

import numpy as np
from tflite_micro import runtime

from qcskit.export.learned.quantize import FloatEncoder


def random_encoder(
    rng: np.random.Generator, widths: tuple[int, ...], levels: int, activation: str = "tanh"
) -> FloatEncoder:
    """Return a float encoder with weights large enough to saturate now and then."""
    pairs = list(itertools.pairwise(widths))
    last = "tanh" if activation == "tanh" else "hard_tanh"
    return FloatEncoder(
        tuple(rng.standard_normal((o, i)).astype(np.float32) * 2 / np.sqrt(i).astype(np.float32) for i, o in pairs),
        tuple(rng.standard_normal(o).astype(np.float32) * np.float32(0.3) for _, o in pairs),
        np.sort(rng.uniform(-0.95, 0.95, levels - 1)),
        (activation,) * (len(pairs) - 1) + (last,),
        tuple(rng.uniform(0.5, 9, len(pairs))),
    )


def tflm_outputs(flatbuffer: bytes, inputs: np.ndarray) -> np.ndarray:
    """Run the TFLM runtime vector by vector."""
    interpreter = runtime.Interpreter.from_bytes(flatbuffer)
    rows = []
    for row in inputs:
        interpreter.set_input(row[None, :], 0)
        interpreter.invoke()
        rows.append(interpreter.get_output(0)[0].copy())
    return np.stack(rows)
