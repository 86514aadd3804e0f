"""TensorBoard logs of a training: the live curve, h and β."""

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf


def tensorboard_log(folder: Path) -> Callable[[int, dict[str, float]], None]:
    """Return a function that writes scalars of a step to event files in `folder`."""
    writer = tf.summary.create_file_writer(str(folder))

    def log(step: int, values: dict[str, float]) -> None:
        with writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(name, value, step=step)
        writer.flush()

    return log
