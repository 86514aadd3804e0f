"""The account of what integers cost: it computes what the integers compute, and names each cause where it is one."""

import re
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from support.float_encoders import random_encoder

from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import UNKNOWN_ADC, Adc, SignalFacts
from qcskit.export.config import ExportConfig
from qcskit.export.learned import loss as module
from qcskit.export.learned.encoder import Encoder, build_encoder
from qcskit.export.learned.job import Frames, Job
from qcskit.export.learned.loss import CAUSES, STEPS, TOGETHER, explain_loss, outputs
from qcskit.export.learned.parts import Layer, ModelParts
from qcskit.export.learned.quantize import FloatEncoder, Ranges

M, K = 4, 3
FINE = Adc(bits=16, units_per_count=2.0**-12)
"""± 8 units."""
SIGNAL = SignalFacts(n=M, m=M, s=1, noise_variance=0, matrix="identity", offset=0.25, scale=1.5)
GOOD = Ranges((4.5,), 2.5, 2.0)
THRESHOLDS = np.linspace(-1, 1, 257)[1:-1]
LEVELS = np.linspace(-1, 1, 513)[1::2]


def network(*, dead: float = 0.0) -> FloatEncoder:
    """Return a network of `M` inputs, of which the last never moves and has weights of this size."""
    rng = np.random.default_rng(3)
    w = [rng.normal(size=(16, M)) * 0.25, rng.normal(size=(K, 16)) * 0.35]
    w[0][:, -1] = dead
    return FloatEncoder(
        tuple(part.astype(np.float32) for part in w), (np.zeros(16, np.float32), np.zeros(K, np.float32)), THRESHOLDS
    )


PLAIN = network()


def frames() -> np.ndarray:
    """Return y (frames, M) on the codec's own scale; the last entry is always 0."""
    y = np.random.default_rng(5).normal(size=(3000, M)).clip(-4, 4)
    y[:, -1] = 0
    return y


def float_outputs(encoder: FloatEncoder, y: np.ndarray) -> np.ndarray:
    for w, b in zip(encoder.weights, encoder.biases, strict=True):
        y = np.tanh(y @ w.T + b)
    return y


def job_of(encoder: FloatEncoder) -> Job:
    """Return a job whose decoder is the identity and whose x are the float outputs: what is lost, integers lose."""
    y, source = frames(), cast(Any, None)
    layers = [Layer(w, b, "tanh") for w, b in zip(encoder.weights, encoder.biases, strict=True)]
    parts = ModelParts(tuple(layers), THRESHOLDS, LEVELS, lambda q: q)
    seen, config = Frames(float_outputs(encoder, y), y), ExportConfig(max_loss_db=0.5)
    return Job("it", "it", 0, parts, source, seen, config, UNKNOWN_ADC, lambda *told: None)


def explained(exact: FloatEncoder, encoder: Encoder, loss_db: float) -> str:
    """Return the message about an encoder of `exact`."""
    job = job_of(exact)
    return explain_loss(job, encoder, loss_db, job.calibration)


def lost_db(encoder: Encoder, exact: FloatEncoder) -> float:
    """Return the error of an encoder's outputs."""
    return nmse_db(float_outputs(exact, frames()), outputs(encoder, frames()))


FAULTS: dict[str, dict[str, Any]] = {
    "input clip": {"ranges": replace(GOOD, inputs=(0.8,))},
    "ADC step": {"adc": Adc(bits=8, units_per_count=0.7)},
    "input grid": {"ranges": replace(GOOD, inputs=(60.0,))},
    "hidden grid": {"ranges": replace(GOOD, hidden=60.0)},
    "output grid": {"ranges": replace(GOOD, last=60.0)},
    "weights": {"exact": network(dead=9.0)},
}
CURED: dict[str, dict[str, Any]] = {
    "input clip": {"ranges": GOOD}, "ADC step": {"adc": Adc(bits=16, units_per_count=0.7 / 256)},
    "input grid": {"profile": "tflm16"}, "hidden grid": {"profile": "tflm16"}, "output grid": {"profile": "native"},
    "weights": {"exact": PLAIN},
}  # fmt: skip
"""What the message tells to do."""


def made(exact: FloatEncoder = PLAIN, ranges: Ranges = GOOD, adc: Adc = FINE, profile: Any = "tflm") -> Encoder:
    return build_encoder(exact, ranges, SIGNAL, adc, profile)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_is_named_where_it_is_the_cause_and_its_cure_cures(cause: str) -> None:
    fault = FAULTS[cause]
    exact = fault.get("exact", PLAIN)
    encoder = made(**fault)
    told = explained(exact, encoder, 3.21)
    assert "\n" not in told
    assert told.startswith("integers of profile tflm lose 3.21 dB of the trained NMSE, more than export.max_loss_db = ")
    assert f"Largest: {CAUSES[cause]}; or go on with --allow-loss" in told
    gains = {name: float(gain) for name, gain in re.findall(r"([A-Za-z][A-Za-z ]+) (\d+\.\d\d)[,.]", told)}
    assert max(gains, key=lambda name: gains[name]) == cause
    assert gains[cause] > 1.0
    cure = fault | CURED[cause]
    assert lost_db(made(**cure), cure.get("exact", PLAIN)) < lost_db(encoder, exact) - 1.0


def test_an_adc_that_clips_is_named_as_a_clip() -> None:
    encoder = made(adc=Adc(bits=16, units_per_count=2.0**-15))  # ± 1 unit, at a scale of 1.5
    told = explained(PLAIN, encoder, 3.0)
    assert f"Largest: {CAUSES['input clip']}" in told


@pytest.mark.parametrize("inputs", [(4.5,), (0.9, 3.0, 4.5, 0.2)], ids=["one range", "a range per input"])
@pytest.mark.parametrize("profile", ["tflm", "native", "tflm16"])
@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu"])
def test_with_everything_on_it_is_what_the_integers_compute(
    profile: str, inputs: tuple[float, ...], activation
) -> None:
    exact = random_encoder(np.random.default_rng(8), (M, 12, K), 9, activation)
    encoder = made(exact, Ranges(inputs, 2.0 if activation == "tanh" else 1.0, 2.0), profile=profile)
    found = (outputs(encoder, frames())[..., None] > exact.thresholds).sum(axis=-1)
    index = encoder.index(frames())
    # Ties, and the second rounding of TFLite's requantization: one step of a grid at most.
    assert (found != index).mean() < 0.02
    assert np.abs(found - index.astype(int)).max() <= 1


def test_with_nothing_lost_nothing_is_accused() -> None:
    encoder = made(profile="tflm16")
    gains = explained(PLAIN, encoder, 0.6)
    assert lost_db(encoder, PLAIN) < -35
    assert not re.search(r"clip|ADC step|grid", gains.split("each part: ")[1].split(". Largest")[0])


def test_steps_that_cost_only_together_are_named_together() -> None:
    """Inputs among others a thousand times as large: the steps of converter and network are both coarse for them."""
    exact = network()
    for column in (1, 2):
        exact.weights[0][:, column] *= 1e-3
    exact.weights[0][:, 0] *= 3.0
    adc = Adc(bits=16, units_per_count=0.9)
    encoder = made(exact, Ranges((4500.0,)), adc, "tflm16")
    assert "ADC step and input grid" in explained(exact, encoder, 20.0)
    assert "scale them alike in front of the converter" in explained(exact, encoder, 20.0)


GAINS = [
    ({"weights": 0.25, "output grid": 0.125}, 0.5, "output grid 0.12, weights 0.25", CAUSES["weights"]),
    ({"weights": 0.25, "output grid": 0.004}, 0.5, "weights 0.25", CAUSES["weights"]),
    ({"weights": 0.25, "output grid": 0.006}, 0.5, "output grid 0.01, weights 0.25", CAUSES["weights"]),
    ({"weights": 0.25, "output grid": -0.5, STEPS: 9.0}, 0.5, "weights 0.25", CAUSES["weights"]),
    ({"weights": 0.25, STEPS: 9.0}, 0.51, f"weights 0.25, {STEPS} 9.00", TOGETHER[STEPS]),
    ({"weights": 0.25, STEPS: 0.2}, 0.51, f"weights 0.25, {STEPS} 0.20", CAUSES["weights"]),
    ({}, 0.5, "none alone", CAUSES["input clip"]),
]


@pytest.mark.parametrize(("gains", "loss_db", "shares", "cure"), GAINS)
def test_the_message_tells_what_each_part_gives_back(
    monkeypatch: pytest.MonkeyPatch, gains: dict[str, float], loss_db: float, shares: str, cure: str
) -> None:
    """Parts of more than 0.005 dB; what costs only together, where no part alone gives half of it back."""
    monkeypatch.setattr(module, "outputs", lambda encoder, y, off: np.array([[gains.get(off, 0.0)]]))
    thresholds = np.sort(np.unique([*gains.values(), 0.0]))
    parts = ModelParts((), thresholds, np.array([*thresholds, np.inf]), None)
    config, frames = ExportConfig(max_loss_db=0.25), Frames(None, np.zeros((1, 1)))
    job = Job("it", "it", 0, parts, cast(Any, None), frames, config, UNKNOWN_ADC, lambda *told: None)
    monkeypatch.setattr(Job, "judged_db", lambda job, q, frames: -20.0 - float(q.item()))
    encoder: Any = type("Made", (), {"profile": "native"})()
    assert explain_loss(job, encoder, loss_db, frames) == (
        f"integers of profile native lose {loss_db:.2f} dB of the trained NMSE, more than export.max_loss_db = 0.25; "
        f"dB back without each part: {shares}. Largest: {cure}; or go on with --allow-loss"
    )
