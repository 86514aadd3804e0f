"""CPU time of the quantizer in training: its value and gradients, and the hard quantizer of a validation.

    python benchmarks/training_speed.py [--quick] [--json FILE]

K = 10 outputs, batches of 100, as in figure 3 of the paper. The reference of a step is the layer with one quantizer per
output, whose sums over the I − 1 thresholds XLA adds up entry by entry; that of a validation is `SHQ.hard`, which
compares every entry with every threshold. Both are the fastest of several repetitions in this run, on one core.
"""

import os

os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}

import sys
import time
from collections.abc import Callable

import numpy as np
from rows import Row, arguments, report

from qcskit.training.backend import tf
from qcskit.training.shq import SHQ

OUTPUTS, BATCH = 10, 100


def microseconds(run: Callable[[], object], repeats: int) -> float:
    """Return the CPU time of one call, of the fastest of five rounds of `repeats`."""
    run()
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        for _ in range(repeats):
            run()
        best = min(best, time.process_time() - start)
    return 1e6 * best / repeats


def step(layer: SHQ, a: object) -> Callable[[], object]:
    """Return a compiled call of 100 steps: value, and gradients to the input and to v."""
    layer.build((None, OUTPUTS))

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def run(x: object) -> object:
        for _ in tf.range(100):
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x) ** 2)
            to_x, to_v = tape.gradient(loss, [x, layer.v.value])
            x += 1e-6 * to_x + tf.reduce_sum(to_v)
        return x

    return lambda: run(a).numpy()


def main() -> int:
    """Measure and report; no target."""
    options = arguments(__doc__ or "")
    repeats, rng, rows = 1 if options.quick else 20, np.random.default_rng(0), []
    a = rng.uniform(-1, 1, (BATCH, OUTPUTS)).astype(np.float32)
    many = rng.uniform(-1, 1, (8192, OUTPUTS)).astype(np.float32)
    for levels in (4, 16, 64, 256):
        layer = SHQ(levels)
        value, reference = (microseconds(step(each, tf.constant(a)), repeats) / 100
                            for each in (layer, SHQ(levels, per_output=True)))  # fmt: skip
        rows.append(Row(f"I = {levels}", "step", value, "µs", reference, note=f"{reference / value:.1f} times as fast"))
        value, reference = (microseconds(run, repeats) / len(many) for run in (
            lambda layer=layer: layer.hard_values(many), lambda layer=layer: layer.hard(many).numpy()))  # fmt: skip
        note = f"{reference / value:.1f} times as fast"
        rows.append(Row(f"I = {levels}", "validation, a frame", value, "µs", reference, note=note))
    return report("training_speed", "The quantizer in training, CPU time of one core", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
