"""Table `[train]`: method, networks, schedules and budget of one training.

A recipe is a set of defaults; every key that is given wins over it. `length` scales the recipe's steps.
"""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from qcskit.codec.config import MODEL_NAME, Table, nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.packing import Packing
from qcskit.codec.signal import SignalConfig

DecoderActivation = Literal["tanh", "relu", "relu6", "gelu", "swish", "elu", "linear"]
Variant = Literal["deepqcs", "deepqcs-qg", "deepqcs-q", "deepqcs-ste", "ce-decnet"]
Recipe = Literal["fast", "best", "paper"]

ODD_ACTIVATIONS = tuple(name for name, activation in ACTIVATIONS.items() if activation.odd)

HARD_FORWARD_LEVELS = 8
"""From so many levels on the soft staircase blurs its neighbours, and the hard one learns better."""
HARD_FORWARD_STEEPNESS = 30.0

RECIPES: dict[str, dict[str, Any]] = {
    "fast": {},
    "best": {"decoder_hidden": 5, "decoder_factor": 10, "steps": 22_000, "newton_schulz_steps": 3},
    # Section V-A: small networks, Adam, batch 100, rates falling with 1/√t, h and β linear; 1e6 steps where the paper
    # takes up to 1e7 (length = 10). Initial rates are ours: the ones that trained well in short runs.
    "paper": {
        "variant": "deepqcs", "decoder_hidden": 3, "decoder_factor": 4, "optimizer": "adam",
        "rate_schedule": "sqrt", "batch": 100,
        "steps": 1_000_000, "weight_rate": 0.01, "bias_rate": 0.01, "level_rate": 0.1, "hard_fraction": 0.0,
        "decoder_activation": "relu", "odd": False,
    },
}  # fmt: skip


class TrainConfig(Table):
    """One training run. Widths left empty follow the signal's dimensions."""

    name: str = Field("demo", pattern=MODEL_NAME, description="model name; becomes part of C identifiers")
    recipe: Recipe = Field("fast", description="set of defaults: about a minute, about ten, or the paper's schedules")
    variant: Variant | None = Field(
        None,
        description="deepqcs: soft forward and mixed gradient; hard forward with mixed (-qg), soft (-q) or "
        "straight-through gradient (-ste); ce-decnet: no EncNet, Lloyd-quantized measurements. Not given: deepqcs, "
        f"and from {HARD_FORWARD_LEVELS} levels on deepqcs-q with steepness_end {HARD_FORWARD_STEEPNESS:g}",
    )
    levels: int = Field(8, ge=2, le=256, description="I, quantizer levels per EncNet output")
    outputs: int | None = Field(None, ge=1, description="K, EncNet outputs; as many as measurements if not given")
    rate: float | None = Field(None, gt=0, description="R, bits per source entry, instead of levels; chooses K and I")
    encoder_widths: tuple[PositiveInt, ...] = Field((), description="hidden widths of EncNet; empty = one layer of 5 K")
    encoder_activation: str = Field(
        "tanh",
        description=f"activation of EncNet's hidden layers: {', '.join(ACTIVATIONS)}; the last layer has the same, or "
        "hard_tanh where that leaves [-1, 1]",
    )
    odd: bool | None = Field(
        None,
        description="the code of -y is that of y negated: EncNet has no biases, DecNet sees q or -q, whichever has a "
        "positive first entry, and learns half as much. Not given: on for gaussian and sign sources, more than 2 "
        f"levels and {' or '.join(ODD_ACTIVATIONS)}",
    )
    decoder_widths: tuple[PositiveInt, ...] = Field(
        (), description="hidden widths of DecNet; empty = by the two keys below"
    )
    decoder_hidden: int = Field(3, ge=0, description="hidden layers of DecNet")
    decoder_factor: int = Field(10, ge=1, description="width of DecNet's hidden layers in N")
    decoder_activation: DecoderActivation = Field("relu", description="activation of DecNet's hidden layers")
    decoder_residual: bool = Field(False, description="add each hidden layer of equal width to its input")
    decoder_input: Literal["levels", "hats"] = Field(
        "levels", description="what DecNet reads: the level, or I hat functions of it (one-hot at uniform levels)"
    )
    shifts: Literal["tied", "trained"] = Field("tied", description="thresholds: fixed and uniform, or learned")
    quantizer: Literal["shared", "per-output"] = Field("shared", description="one quantizer, or one per output")
    steps: int = Field(12_000, ge=10, description="optimizer steps")
    length: float = Field(1.0, gt=0, description="multiplies steps and warmup_steps: the same schedules, stretched")
    batch: int = Field(1_000, ge=1, description="fresh frames per step")
    batches: tuple[PositiveInt, ...] = Field(
        (), description="batch sizes of equal parts of joint training, instead of batch"
    )
    seed: int = Field(0, ge=0, description="seeds initialisation, data and noise; the same seed gives the same model")
    optimizer: Literal["orthogonal", "adam"] = Field(
        "orthogonal", description="for weight matrices: orthogonalised momentum, or Adam; vectors always Adam"
    )
    newton_schulz_steps: int = Field(
        5, ge=1, le=10, description="of the orthogonalisation; 3 are cheaper and, for wide decoders, as good"
    )
    rate_schedule: Literal["cosine", "sqrt"] = Field("cosine", description="cosine, or max(final_rate, rate/√t)")
    weight_rate: float = Field(0.02, gt=0, description="peak step size of weight matrices")
    bias_rate: float = Field(5e-3, gt=0, description="peak step size of biases")
    level_rate: float = Field(0.005, ge=0, description="step size of the SHQ's v and t relative to bias_rate")
    final_rate: float = Field(1e-5, gt=0, description="smallest step size (η_min)")
    warmup_steps: int = Field(200, ge=0, description="steps of linear warm-up")
    steepness_start: float = Field(5.0, gt=0, description="h at the first step")
    steepness_end: float = Field(105.0, gt=0, description="largest h")
    steepness_slope: float | None = Field(None, ge=0, description="rise of h per step (α); default: as needed")
    steepness_share: float = Field(1.0, gt=0, le=1, description="share of joint training after which h is largest")
    steepness_stairs: int = Field(0, ge=0, description="h rises in this many equal stairs; 0 = linearly")
    mix_start: float = Field(0.0, ge=0, le=1, description="β, the part of the true gradient, at the first step")
    mix_end: float = Field(1.0, ge=0, le=1, description="β at the end")
    mix_share: float = Field(1.0, gt=0, le=1, description="share of joint training after which β is mix_end")
    hard_fraction: float = Field(0.08, ge=0, lt=1, description="last part: decoder alone, on hard indices")
    patience: int = Field(0, ge=0, description="steps without a better hard NMSE that end joint training; 0 = never")
    target_db: float | None = Field(None, description="stop when the validated hard NMSE is this low")
    validation_frames: int = Field(10_000, ge=100, description="frames of the live hard NMSE")
    test_frames: int = Field(100_000, ge=100, description="fresh frames of the final NMSE")

    @model_validator(mode="before")
    @classmethod
    def _fill_from_recipe(cls, values: Any) -> Any:
        recipe = values.get("recipe", "fast") if isinstance(values, dict) else None
        return {**RECIPES[recipe], **values} if recipe in RECIPES else values

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.encoder_activation not in ACTIVATIONS:
            hint = nearest(self.encoder_activation, tuple(ACTIVATIONS))
            raise ValueError(f"no integer encoder computes encoder_activation = '{self.encoder_activation}'; {hint}")
        if self.steepness_end < self.steepness_start:
            raise ValueError("steepness_end must not be below steepness_start")
        if self.total_steps < 10:
            raise ValueError(f"steps x length is {self.total_steps}: train at least 10 steps")
        if self.warmup_steps >= self.steps:
            raise ValueError(f"warmup_steps ({self.warmup_steps}) must be fewer than steps ({self.steps}): lower "
                             f"train.warmup_steps as well")  # fmt: skip
        if self.odd and self.encoder_activation not in ODD_ACTIVATIONS:
            raise ValueError(f"odd needs one of the activations {', '.join(ODD_ACTIVATIONS)}; set odd = false")
        if self.rate is not None and "levels" in self.model_fields_set and "outputs" in self.model_fields_set:
            raise ValueError("rate follows from levels and outputs: give at most two of the three")
        return self

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return round(self.steps * self.length)

    def packing(self, signal: SignalConfig) -> Packing:
        """Return how one frame's K indices become bytes; of a resolved configuration."""
        return Packing(self.outputs or signal.m, self.levels)

    def resolved(self, signal: SignalConfig) -> "TrainConfig":
        """Return this configuration with K, I, the variant and odd chosen, and no rate.

        Raises QcsError if no K and I give the rate.
        """
        outputs, levels = self._quantizer(signal)
        variant = self.variant or ("deepqcs-q" if levels >= HARD_FORWARD_LEVELS else "deepqcs")
        chosen: dict[str, Any] = {"outputs": outputs, "levels": levels, "variant": variant, "rate": None}
        if self.variant is None and variant == "deepqcs-q" and "steepness_end" not in self.model_fields_set:
            chosen["steepness_end"] = max(HARD_FORWARD_STEEPNESS, self.steepness_start)
        if self.odd is None:
            allowed = signal.source != "recorded" and self.encoder_activation in ODD_ACTIVATIONS
            chosen["odd"] = allowed and levels > 2
        return self.model_copy(update=chosen)

    def _quantizer(self, signal: SignalConfig) -> tuple[int, int]:
        """Return K and I. Raises QcsError if none give the rate."""
        outputs, levels = self.outputs, self.levels
        if self.variant == "ce-decnet":
            if outputs not in (None, signal.m):
                raise QcsError(f"[train] outputs: ce-decnet quantizes the m = {signal.m} measurements; leave it out")
            outputs = signal.m
        if self.rate is None:
            return outputs or signal.m, levels
        given = levels if "levels" in self.model_fields_set else None
        return choose_quantizer(self.rate, signal.n, outputs, given, signal.m)


def choose_quantizer(rate: float, n: int, outputs: int | None, levels: int | None, m: int) -> tuple[int, int]:
    """Return (K, I) that send exactly rate · n bits; K as given, else nearest to m (fewer on a tie).

    Raises QcsError if there is none, naming the nearest rates that exist.
    >>> choose_quantizer(1.5, 20, None, None, 10), choose_quantizer(0.75, 20, None, None, 10)
    ((10, 8), (5, 8))
    """
    counts = [outputs] if outputs else sorted(range(1, 8 * n + 1), key=lambda k: (abs(k - m), k))
    choices = [levels] if levels else [2**bits for bits in range(1, 9)]
    possible = [(k, i) for k in counts for i in choices]
    wanted = rate * n
    for k, i in possible:
        if abs(Packing(k, i).packed_bits - wanted) < 1e-6:
            return k, i
    near = sorted({Packing(k, i).packed_bits / n for k, i in possible}, key=lambda r: abs(r - rate))[:2]
    given = "".join([f" with K = {outputs}" if outputs else "", f" with I = {levels}" if levels else ""])
    raise QcsError(f"[train] rate: no quantizer sends {rate:g} bits per entry ({wanted:g} bits per frame of n = {n})"
                   f"{given}; nearest: {', '.join(f'{r:g}' for r in sorted(near))}")  # fmt: skip
