"""Table `[export]`: how a trained run becomes integers."""

from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, model_validator

from qcskit.codec.config import MODEL_NAME, Table

Range = Annotated[FiniteFloat, Field(gt=1e-6, lt=1e6)]
"""Half of what a grid covers, in units of a pre-activation."""
Quantile = Annotated[FiniteFloat, Field(gt=0.5, le=1.0)]

_MOVED = {
    "adc_bits": "set adc.bits", "adc_offset_counts": "set adc.offset_counts",
    "input_ranges": "set export.input_quantiles, or adc.units_per_count",
}  # fmt: skip
"""Keys of old, and what took their place."""


FOR_DESIGNS = ("name", "max_loss_db", "allow_loss", "golden_frames", "test_frames", "test_windows")
"""Keys that act where nothing is trained; all others are about networks."""


class ExportConfig(Table):
    """Table `[export]`: one export.

    >>> from qcskit.export import ExportConfig
    >>> config = ExportConfig(finetune_steps=1000, max_loss_db=0.2)
    >>> config.finetune_steps, config.profile
    (1000, 'auto')
    """

    name: str = Field(default="", pattern=f"^$|{MODEL_NAME}", description="model name; empty = the run's name")
    input_quantiles: tuple[Quantile, ...] = Field(
        default=(0.98, 0.99, 0.997, 0.999, 0.9997, 0.9999, 1.0),
        description="candidates: the 8-bit input grid covers this part of the |y| seen, input by input",
        min_length=1,
    )
    hidden_ranges: tuple[Range, ...] = Field(
        default=(1.75, 2.0, 2.25, 2.5, 3.0, 4.0, 6.0),
        description="candidates: hidden pre-activations are clipped at ± this",
        min_length=1,
    )
    last_ranges: tuple[Range, ...] = Field(
        default=(1.5, 1.75, 2.0, 2.25, 2.5, 3.0),
        description="candidates: last pre-activations are clipped at ± this",
        min_length=1,
    )
    relu_ranges: tuple[Range, ...] = Field(
        default=(0.4, 0.6, 0.8, 1.0),
        description="candidates: ReLU grids cover this part of the largest output",
        min_length=1,
    )
    profile: Literal["tflm", "native", "tflm16", "auto"] = Field(
        default="auto",
        description="tflm: what TFLite Micro computes; native: thresholds on the last accumulators, no output "
        "grid; tflm16: TFLite Micro with 16-bit activations; auto: the first that keeps auto_loss_db, else the best",
    )
    auto_loss_db: FiniteFloat = Field(
        default=0.1, description="profile auto: NMSE that integers may cost before the next is tried"
    )
    max_loss_db: FiniteFloat = Field(default=0.5, description="the export fails if integers cost more NMSE than this")
    allow_loss: bool = Field(default=False, description="go on whatever integers cost")
    calibration_frames: int = Field(default=20_000, ge=100, description="frames on which the candidates are compared")
    finetune_steps: int = Field(default=8_000, ge=0, description="decoder steps on exact integer indices; 0 = none")
    finetune_rate: float = Field(default=5e-3, gt=0, description="peak step size of that fine-tuning")
    golden_frames: int = Field(default=256, ge=1, le=10_000, description="vectors stored in vectors.npz")
    test_frames: int = Field(
        default=100_000,
        ge=100,
        description="frames of the NMSE in the manifest; of a recording at most its test windows",
    )
    test_windows: int = Field(
        default=1000,
        ge=0,
        le=100_000,
        description="test windows of a recording that travel in the bundle; 0: none of them",
    )

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, values: Any) -> Any:
        for key, instead in _MOVED.items():
            if isinstance(values, dict) and key in values:
                raise ValueError(f"{key} is no key of [export]: {instead}")
        return values
