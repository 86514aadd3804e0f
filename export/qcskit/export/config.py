"""Table `[export]`: how a trained run becomes integers."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, model_validator

from qcskit.codec.config import MODEL_NAME, Table

Range = Annotated[FiniteFloat, Field(gt=1e-6, lt=1e6)]
"""Half of what a grid covers, in units of y or of a pre-activation."""


class ExportConfig(Table):
    """One export."""

    name: str = Field("", pattern=f"^$|{MODEL_NAME}", description="model name; empty = the run's name")
    input_ranges: tuple[Range, ...] = Field(
        (1.5, 2.0, 2.25, 2.5, 3.0, 4.0),
        description="candidates: the input grid covers ± this many units of y",
        min_length=1,
    )
    hidden_ranges: tuple[Range, ...] = Field(
        (1.75, 2.0, 2.25, 2.5, 3.0, 4.0, 6.0),
        description="candidates: hidden pre-activations are clipped at ± this",
        min_length=1,
    )
    last_ranges: tuple[Range, ...] = Field(
        (1.5, 1.75, 2.0, 2.25, 2.5, 3.0),
        description="candidates: last pre-activations are clipped at ± this",
        min_length=1,
    )
    relu_ranges: tuple[Range, ...] = Field(
        (0.4, 0.6, 0.8, 1.0), description="candidates: ReLU grids cover this part of the largest output", min_length=1
    )
    profile: Literal["tflm", "native", "tflm16", "auto"] = Field(
        "tflm",
        description="tflm: what TFLite Micro computes; native: thresholds on the last accumulators, no output "
        "grid; tflm16: TFLite Micro with 16-bit activations; auto: the first of these that keeps max_loss_db",
    )
    max_loss_db: FiniteFloat = Field(
        0.1, description="profile auto: most NMSE that integers may cost against the trained float"
    )
    calibration_frames: int = Field(50_000, ge=100, description="frames on which the candidates are compared")
    finetune_steps: int = Field(8_000, ge=0, description="decoder steps on exact integer indices; 0 = none")
    finetune_rate: float = Field(5e-3, gt=0, description="peak step size of that fine-tuning")
    golden_frames: int = Field(256, ge=1, le=10_000, description="vectors stored in vectors.npz")
    test_frames: int = Field(100_000, ge=100, description="fresh frames of the NMSE in the manifest")
    adc_bits: int = Field(12, ge=8, le=16, description="ADC resolution; its full scale is the chosen input range")
    adc_offset_counts: int = Field(0, ge=-32768, le=32767, description="ADC reading at y = 0")

    @model_validator(mode="after")
    def _counts_fit_int16(self) -> Self:
        """Refuse an ADC whose range around the offset leaves int16."""
        half = 2 ** (self.adc_bits - 1)
        if self.adc_offset_counts - half < -32768 or self.adc_offset_counts + half - 1 > 32767:
            raise ValueError(
                f"an ADC of adc_bits = {self.adc_bits} around adc_offset_counts = {self.adc_offset_counts} leaves the "
                f"int16 that a count is; subtract the offset in the firmware and set adc_offset_counts = 0"
            )
        return self
