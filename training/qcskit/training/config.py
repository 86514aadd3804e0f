"""Table `[train]`: method, networks, schedules and budget of one training.

A recipe is a set of defaults, and so is a variant; every key that is given wins over both. `length` scales the steps.
"""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from qcskit.codec.config import MODEL_NAME, TRUSTED, Table, nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.packing import Packing
from qcskit.codec.signal import SignalConfig
from qcskit.training.hooks import read_module

DecoderActivation = Literal["tanh", "relu", "relu6", "gelu", "swish", "elu", "linear"]
Variant = Literal[
    "deepqcs", "deepqcs-qg", "deepqcs-q", "deepqcs-ste", "hard-mixed", "hard-surrogate", "hard-ste", "ce-decnet",
    "lloyd-decnet",
]  # fmt: skip
Recipe = Literal["fast", "best", "paper"]

ODD_ACTIVATIONS = tuple(name for name, activation in ACTIVATIONS.items() if activation.odd)

HARD_FORWARD = ("hard-mixed", "hard-surrogate", "hard-ste", "lloyd-decnet")
"""Variants whose forward pass is the hard staircase."""
WITHOUT_ENCODER = ("ce-decnet", "lloyd-decnet")
"""Variants that quantize the measurements themselves."""
HARD_FORWARD_LEVELS = 8
"""From so many levels on the soft staircase blurs its neighbours, and the hard one learns better."""
HARD_FORWARD_STEEPNESS = 30.0

RECIPES: dict[str, dict[str, Any]] = {
    "fast": {},
    "best": {"decoder_hidden": 5, "decoder_factor": 10, "steps": 22_000, "newton_schulz_steps": 3},
    # Section V-A2 of the DeepQCS paper, key by key. It prints no patience ("until D_va does not significantly
    # decrease"): a tenth of the most steps is ours.
    "paper": {
        "variant": "deepqcs", "decoder_hidden": 3, "decoder_factor": 4, "decoder_activation": "tanh", "odd": False,
        "level_sum": 0.8, "shift_span": 0.8,
        "batch": 100, "train_frames": 500_000, "validation_frames": 300_000, "test_frames": 300_000,
        "steepness_start": 5.0, "steepness_end": 300.0, "steepness_slope": 1e-5, "mix_slope": 1e-7,
        "optimizer": "adam", "rate_schedule": "sqrt", "warmup_steps": 0, "weight_rate": 1e-2, "bias_rate": 1e-2,
        "level_rate": 5e-3, "final_rate": 1e-4,
        "steps": 10_000_000, "patience": 1_000_000, "hard_fraction": 0.0,
    },
}  # fmt: skip

_TRUE_GRADIENT = {"mix_start": 1.0, "mix_end": 1.0}
_STRAIGHT_THROUGH = {"mix_start": 0.0, "mix_end": 0.0}
_STEEP = {"steepness_start": 400.0, "steepness_end": 400.0, **_STRAIGHT_THROUGH}
VARIANTS: dict[str, dict[str, Any]] = {
    # Section V-B2, its 10^7 steps squeezed into the recipe's: h reaches 300 after 0.295 of them, and so on.
    "deepqcs-qg": {"steepness_end": 300.0, "steepness_share": 0.295, "mix_share": 0.1},
    "deepqcs-q": {"steepness_end": 300.0, "steepness_share": 0.059, **_TRUE_GRADIENT},
    "deepqcs-ste": _STEEP,
    "hard-surrogate": _TRUE_GRADIENT,
    "hard-ste": _STRAIGHT_THROUGH,
}
PAPER_VARIANTS: dict[str, dict[str, Any]] = {
    # Section V-B2 as printed, per step.
    "deepqcs-qg": {"steepness_slope": 1e-4, "mix_slope": 1e-6},
    "deepqcs-q": {"steepness_slope": 5e-4, "steepness_hold": 100, **_TRUE_GRADIENT},
    "deepqcs-ste": _STEEP,
}


class TrainConfig(Table):
    """One training run. Widths left empty follow the signal's dimensions."""

    name: str = Field(default="demo", pattern=MODEL_NAME, description="model name; becomes part of C identifiers")
    recipe: Recipe = Field(
        default="fast", description="set of defaults: about a minute, about ten, or the paper's schedules"
    )
    variant: Variant | None = Field(
        default=None,
        description="the paper's, soft forward: deepqcs, and with other schedules deepqcs-qg, -q, -ste; hard forward: "
        "hard-surrogate, hard-mixed, hard-ste by the gradient; no EncNet: ce-decnet with a trained quantizer, "
        "lloyd-decnet with Lloyd's of each measurement. Not given: deepqcs, "
        f"and from {HARD_FORWARD_LEVELS} levels on hard-surrogate with steepness_end {HARD_FORWARD_STEEPNESS:g}",
    )
    levels: int = Field(default=8, ge=2, le=256, description="I, quantizer levels per EncNet output")
    outputs: int | None = Field(
        default=None, ge=1, description="K, EncNet outputs; as many as measurements if not given"
    )
    rate: float | None = Field(
        default=None, gt=0, description="R, bits per source entry, instead of levels; chooses K and I"
    )
    encoder_widths: tuple[PositiveInt, ...] = Field(
        default=(), description="hidden widths of EncNet; empty = one layer of 5 K"
    )
    encoder_activation: str = Field(
        default="tanh",
        description=f"activation of EncNet's hidden layers: {', '.join(ACTIVATIONS)}; the last layer has the same, or "
        "hard_tanh where that leaves [-1, 1]",
    )
    odd: bool | None = Field(
        default=None,
        description="the code of -y is that of y negated: EncNet has no biases, DecNet sees q or -q, whichever has a "
        "positive first entry, and learns half as much. Not given: on for gaussian and sign sources, more than 2 "
        f"levels and {' or '.join(ODD_ACTIVATIONS)}",
    )
    decoder_widths: tuple[PositiveInt, ...] = Field(
        default=(), description="hidden widths of DecNet; empty = by the two keys below"
    )
    decoder_hidden: int = Field(default=3, ge=0, description="hidden layers of DecNet")
    decoder_factor: int = Field(default=10, ge=1, description="width of DecNet's hidden layers in N")
    decoder_activation: DecoderActivation = Field(default="relu", description="activation of DecNet's hidden layers")
    decoder_residual: bool = Field(default=False, description="add each hidden layer of equal width to its input")
    decoder_input: Literal["levels", "hats"] = Field(
        default="levels",
        description="what DecNet reads: the level, or I hat functions of it (one-hot at uniform levels)",
    )
    shifts: Literal["tied", "trained"] = Field(default="tied", description="thresholds: fixed and uniform, or learned")
    quantizer: Literal["shared", "per-output"] = Field(default="shared", description="one quantizer, or one per output")
    level_sum: float = Field(
        default=1.0, gt=0, description="largest level at the first step: each v is level_sum / (I - 1)"
    )
    shift_span: float | None = Field(
        default=None,
        gt=0,
        description="thresholds at the first step are uniform from -shift_span to it; default: equal cells",
    )
    steps: int = Field(default=12_000, ge=10, le=10**9, description="optimizer steps")
    length: float = Field(
        default=1.0,
        gt=0,
        le=1e6,
        description="multiplies steps and warmup_steps; what is given per step (slopes, rate/√t) stays",
    )
    batch: int = Field(default=1_000, ge=1, description="frames per step")
    train_frames: int = Field(
        default=0,
        ge=0,
        description="size of a fixed training set, of which each step draws its batch; 0 = always fresh frames",
    )
    batches: tuple[PositiveInt, ...] = Field(
        default=(), description="batch sizes of equal parts of joint training, instead of batch"
    )
    seed: int = Field(
        default=0,
        ge=0,
        le=2**32 - 1,
        description="seeds initialisation, data and noise; the same seed gives the same model",
    )
    optimizer: Literal["orthogonal", "adam"] = Field(
        default="orthogonal", description="for weight matrices: orthogonalised momentum, or Adam; vectors always Adam"
    )
    newton_schulz_steps: int = Field(
        default=5, ge=1, le=10, description="of the orthogonalisation; 3 are cheaper and, for wide decoders, as good"
    )
    rate_schedule: Literal["cosine", "sqrt"] = Field(
        default="cosine", description="cosine, or max(final_rate, rate/√t), t = 1, 2, ..."
    )
    weight_rate: float = Field(default=0.02, gt=0, description="peak step size of weight matrices")
    bias_rate: float = Field(default=5e-3, gt=0, description="peak step size of biases")
    level_rate: float = Field(
        default=0.005, ge=0, description="step size of the SHQ's v and t, and its smallest, relative to biases"
    )
    final_rate: float = Field(default=1e-5, gt=0, description="smallest step size (η_min)")
    warmup_steps: int = Field(default=200, ge=0, description="steps of linear warm-up")
    steepness_start: float = Field(default=5.0, gt=0, description="h at the first step")
    steepness_end: float = Field(default=105.0, gt=0, description="largest h")
    steepness_slope: float | None = Field(
        default=None, ge=0, description="rise of h per step t = 1, 2, ... (α); default: as needed"
    )
    steepness_hold: int = Field(default=1, ge=1, description="with steepness_slope, steps over which h stays the same")
    steepness_share: float = Field(
        default=1.0, gt=0, le=1, description="share of joint training after which h is largest"
    )
    steepness_stairs: int = Field(default=0, ge=0, description="h rises in this many equal stairs; 0 = linearly")
    mix_start: float = Field(default=0.0, ge=0, le=1, description="β, the part of the true gradient, at the first step")
    mix_end: float = Field(default=1.0, ge=0, le=1, description="β at the end")
    mix_share: float = Field(default=1.0, gt=0, le=1, description="share of joint training after which β is mix_end")
    mix_slope: float | None = Field(
        default=None, ge=0, description="change of β per step t = 1, 2, ...; default: as needed"
    )
    hard_fraction: float = Field(default=0.08, ge=0, lt=1, description="last part: decoder alone, on hard indices")
    patience: int = Field(
        default=0, ge=0, description="steps without a better hard NMSE that end joint training; 0 = never"
    )
    target_db: float | None = Field(
        default=None, description="stop when the validated hard NMSE (or the module's metric) is this low"
    )
    validation_frames: int = Field(default=10_000, ge=100, description="frames of the live hard NMSE")
    test_frames: int = Field(default=100_000, ge=100, description="fresh frames of the final NMSE")
    module: str = Field(
        default="",
        json_schema_extra=TRUSTED,
        description="Python file whose functions replace parts of the training: draw, loss, metric, build_encoder, "
        "build_decoder; it is executed",
    )
    module_sha256: str = Field(
        default="", pattern="^([0-9a-f]{64})?$", description="SHA-256 that the module must have; a run records it"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_recipe(cls, values: Any) -> Any:
        recipe = values.get("recipe", "fast") if isinstance(values, dict) else None
        if recipe not in RECIPES:
            return values
        given = {**RECIPES[recipe], **values}
        return {**RECIPES[recipe], **_schedules(recipe, given.get("variant")), **values}

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

    def encoder_shape(self, signal: SignalConfig) -> tuple[int, ...]:
        """Return the widths of EncNet from its input to its outputs, M … K; M alone where there is none."""
        outputs = self.outputs or signal.m
        hidden = self.encoder_widths or (5 * outputs,)
        return (signal.m,) if self.variant in WITHOUT_ENCODER else (signal.m, *hidden, outputs)

    def resolved(self, signal: SignalConfig) -> "TrainConfig":
        """Return this configuration with K, I, the variant, odd and the module's SHA-256 chosen, and no rate.

        Raises QcsError if no K and I give the rate, or the module is at fault; it is not executed.
        """
        outputs, levels = self._quantizer(signal)
        variant = self.variant or ("hard-surrogate" if levels >= HARD_FORWARD_LEVELS else "deepqcs")
        chosen: dict[str, Any] = {"outputs": outputs, "levels": levels, "variant": variant, "rate": None}
        if self.variant is None and variant == "hard-surrogate":
            end = {"steepness_end": max(HARD_FORWARD_STEEPNESS, self.steepness_start)}
            missing = {**_schedules(self.recipe, variant), **end}
            chosen |= {key: value for key, value in missing.items() if key not in self.model_fields_set}
        hooks = self._read_module(chosen)
        if self.odd is None:
            allowed = signal.source != "recorded" and self.encoder_activation in ODD_ACTIVATIONS
            chosen["odd"] = allowed and levels > 2 and hooks <= {"metric"}
        return self.model_copy(update=chosen)

    def _read_module(self, chosen: dict[str, Any]) -> frozenset[str]:
        """Note the module's SHA-256 among the chosen keys, and return the hooks that it defines."""
        if not self.module:
            return frozenset()
        module = read_module(self.module)
        if self.module_sha256 not in ("", module.digest):
            raise QcsError(f"[train] module_sha256 is not that of module '{self.module}', which is {module.digest}")
        if chosen["variant"] in WITHOUT_ENCODER and "build_encoder" in module.hooks:
            raise QcsError(f"module '{self.module}': {chosen['variant']} has no encoder to build; take another "
                           "train.variant")  # fmt: skip
        chosen["module_sha256"] = module.digest
        return module.hooks

    def _quantizer(self, signal: SignalConfig) -> tuple[int, int]:
        """Return K and I. Raises QcsError if none give the rate."""
        outputs, levels = self.outputs, self.levels
        if self.variant in WITHOUT_ENCODER:
            if outputs not in (None, signal.m):
                raise QcsError(
                    f"[train] outputs: {self.variant} quantizes the m = {signal.m} measurements; leave it out"
                )
            outputs = signal.m
        if self.rate is None:
            return outputs or signal.m, levels
        given = levels if "levels" in self.model_fields_set else None
        return choose_quantizer(self.rate, signal.n, outputs, given, signal.m)


def _schedules(recipe: str, variant: str | None) -> dict[str, Any]:
    """Return what a variant sets in a recipe."""
    own = VARIANTS | PAPER_VARIANTS if recipe == "paper" else VARIANTS
    return own.get(variant or "", {})


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
