"""The decoder gets used to the integers: fine-tuning with the settings and the progress bar of an export."""

from collections.abc import Callable
from typing import Any

from qcskit.export.learned.job import Array, Index, Job
from qcskit.training.finetune import Loss, Material, finetune_decoder


def tune(
    job: Job,
    decoder: Any,
    encode: Callable[[Array], Index],
    material: Material,
    *,
    loss: Loss | None = None,
    batch: int = 1000,
    compiled: bool = True,
) -> None:
    """Train the decoder in place on what `encode` makes of the material; arguments as `finetune_decoder` takes them."""
    config = job.config
    finetune_decoder(
        decoder, job.parts.levels, encode, material, config.finetune_steps, config.finetune_rate, loss=loss,
        batch=batch, compiled=compiled,
        progress=lambda step: job.progress("fine-tune decoder", step, config.finetune_steps),
    )  # fmt: skip
