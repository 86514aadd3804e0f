"""Fine-tuning: the decoder gets better on the indices it is given, the encoder stays, divergence is named."""

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.quantizer import hard_index
from qcskit.codec.signal import SignalConfig, draw_frames, recorded_windows
from qcskit.training.config import TrainConfig
from qcskit.training.finetune import finetune_decoder, material_of
from qcskit.training.networks import build_model, parts
from qcskit.training.source import Source

SIGNAL = SignalConfig(n=8, m=4, s=1)
MATERIAL = material_of(Source(SIGNAL), 0)


def test_the_decoder_learns_what_the_indices_say() -> None:
    stages = parts(build_model(TrainConfig(levels=4, decoder_widths=(24,), variant="lloyd-decnet"), SIGNAL))
    t, g = stages.shq.quantizer()
    x, y = draw_frames(SIGNAL, 2000, 5)

    def reached() -> float:
        levels = np.take_along_axis(g, hard_index(y, t).T, axis=1).T
        return nmse_db(x, stages.decnet(levels.astype(np.float32)).numpy())

    before, done = reached(), []
    settings = {"batch": 200, "progress": done.append}
    finetune_decoder(stages.decnet, g, lambda y: hard_index(y, t), MATERIAL, 250, 0.02, **settings)
    assert done == [100, 200, 250]
    assert reached() < min(before, -3.0)


def test_divergence_is_one_clear_line() -> None:
    stages = parts(build_model(TrainConfig(levels=4, decoder_widths=(8,)), SIGNAL))
    t, g = stages.shq.quantizer()
    with pytest.raises(QcsError, match="fine-tuning diverged; lower export") as caught:
        finetune_decoder(stages.decnet, g, lambda y: hard_index(y, t), MATERIAL, 100, 1e30, batch=50)
    assert "\n" not in str(caught.value)


def test_a_decoder_is_never_worse_than_it_came() -> None:
    stages = parts(build_model(TrainConfig(levels=4, decoder_widths=(24,), variant="lloyd-decnet"), SIGNAL))
    t, g = stages.shq.quantizer()
    finetune_decoder(stages.decnet, g, lambda y: hard_index(y, t), MATERIAL, 300, 0.02, batch=200)
    good = stages.decnet.get_weights()
    # Such large steps from a good place only lead away from it.
    finetune_decoder(stages.decnet, g, lambda y: hard_index(y, t), material_of(Source(SIGNAL), 1), 100, 3.0, batch=50)
    assert all(np.array_equal(a, b) for a, b in zip(good, stages.decnet.get_weights(), strict=True))


def test_windows_of_a_recording_are_blended_as_in_training(tmp_path) -> None:
    np.save(tmp_path / "r.npy", np.random.default_rng(0).standard_normal(300))
    signal = SignalConfig(n=4, matrix="identity", source="recorded", recording=str(tmp_path / "r.npy"))
    stages = parts(build_model(TrainConfig(levels=4, decoder_widths=(8,), variant="lloyd-decnet"), signal))
    t, g = stages.shq.quantizer()
    asked = []

    def encode(y):
        asked.append(y)
        return hard_index(y, t)

    finetune_decoder(stages.decnet, g, encode, material_of(Source(signal), 0), 1, 0.02, batch=50)
    validated, learned = asked
    for y, part, blended in ((validated, "validation", False), (learned, "train", True)):
        nearest = np.abs(y[:50, None] - recorded_windows(signal, part)).max(-1).min(1)
        assert ((nearest > 1e-9) == blended).all()


def test_a_loss_of_ones_own_is_what_falls() -> None:
    stages = parts(build_model(TrainConfig(levels=4, decoder_widths=(24,), odd=False), SIGNAL))
    t, g = stages.shq.quantizer()
    x, y = draw_frames(SIGNAL, 2000, 5)
    levels = g[hard_index(y, t)].astype(np.float32)

    def far(x, x_hat):  # draws x_hat to 3, which the squared error never would
        return (x_hat - 3.0 + 0.0 * x) ** 2

    finetune_decoder(stages.decnet, g, lambda y: hard_index(y, t), MATERIAL, 300, 0.05, loss=far, compiled=False)
    assert np.abs(stages.decnet(levels).numpy() - 3.0).mean() < 0.9
    assert nmse_db(x, stages.decnet(levels).numpy()) > 0
