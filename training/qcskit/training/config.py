"""Table `[train]`: networks, schedules and budget of one training."""

from typing import Literal, Self

from pydantic import Field, model_validator

from qcskit.codec.config import Table

Activation = Literal["tanh", "relu", "relu6", "gelu", "swish", "elu", "linear"]


EncoderActivation = Literal["tanh", "hard_tanh", "relu", "relu6"]
"""What the integer encoder can compute. The last layer stays in [−1, 1]: tanh with tanh, hard tanh with the others."""


class TrainConfig(Table):
    """One training run. Widths left empty follow the signal's dimensions."""

    name: str = Field(
        "demo", pattern=r"^[a-z][a-z0-9_]{0,30}$", description="model name; becomes part of C identifiers"
    )
    levels: int = Field(8, ge=2, le=256, description="I, quantizer levels per EncNet output")
    outputs: int = Field(0, ge=0, description="K, EncNet outputs; 0 = as many as measurements")
    encoder_widths: tuple[int, ...] = Field((), description="hidden widths of EncNet; empty = one layer of 5 K")
    encoder_activation: EncoderActivation = Field(
        "tanh", description="activation of EncNet's hidden layers; its last layer is tanh, or hard tanh with the others"
    )
    decoder_widths: tuple[int, ...] = Field((), description="hidden widths of DecNet; empty = three layers of 10 N")
    decoder_activation: Activation = Field("relu", description="activation of DecNet's hidden layers")
    steps: int = Field(12_000, ge=10, description="optimizer steps")
    batch: int = Field(1_000, ge=1, description="fresh frames per step")
    seed: int = Field(0, ge=0, description="seeds initialisation, data and noise; the same seed gives the same model")
    weight_rate: float = Field(0.02, gt=0, description="peak step size of weight matrices (orthogonalised momentum)")
    bias_rate: float = Field(5e-3, gt=0, description="peak step size of biases (Adam)")
    final_rate: float = Field(1e-5, gt=0, description="step size at the end of the cosine schedule")
    level_rate: float = Field(0.005, ge=0, description="step size of the SHQ levels v relative to bias_rate")
    warmup_steps: int = Field(200, ge=0, description="steps of linear warm-up")
    steepness_start: float = Field(5.0, gt=0, description="h at the first step")
    steepness_end: float = Field(105.0, gt=0, description="h at the end of joint training; rises linearly")
    hard_fraction: float = Field(0.08, ge=0, lt=1, description="last part: decoder alone, on hard indices")
    validation_frames: int = Field(10_000, ge=100, description="frames of the live hard NMSE")
    test_frames: int = Field(100_000, ge=100, description="fresh frames of the final NMSE")

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.steepness_end < self.steepness_start:
            raise ValueError("steepness_end must not be below steepness_start")
        if any(width < 1 for width in (*self.encoder_widths, *self.decoder_widths)):
            raise ValueError("every layer width must be at least 1")
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps ({self.warmup_steps}) must be fewer than steps ({self.steps})")
        return self
