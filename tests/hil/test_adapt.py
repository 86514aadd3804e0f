"""The batch and repeat model against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.hil.adapt import LinkModel, Shape, success


def test_success_against_a_simulation() -> None:
    rng = np.random.default_rng(0)
    loss, there, back, repeats = 0.03, 25, 20, 4
    trials = 20_000
    arrives = (rng.random((trials, there)) > loss).all(axis=1)
    replies = (rng.random((trials, repeats, back)) > loss).all(axis=2).any(axis=1)
    wanted = float(success(there, back, 2, np.array([loss]))[0])
    assert (arrives & replies).mean() == pytest.approx(wanted, abs=0.012)


@pytest.mark.parametrize("loss", [0.0, 0.002, 0.03, 0.1])
def test_the_model_finds_the_loss_of_a_line(loss: float) -> None:
    rng = np.random.default_rng(1)
    model = LinkModel(Shape(10, 4, 4096, 255, True))
    for _ in range(3000):
        sizes = model.shape.request_bytes(model.batch), model.shape.reply_bytes(model.batch)
        p = float(success(*sizes, model.repeat_exponent, np.array([loss]))[0])
        model.note(model.batch, model.repeat_exponent, bool(rng.random() < p))
    assert model.byte_loss == pytest.approx(loss, rel=0.5, abs=1e-5)
    assert (model.batch == 100) == (loss == 0.0)
    assert (model.repeat_exponent > 0) == (loss > 0.05) or loss == 0.03


@given(st.integers(1, 300), st.integers(64, 4096), st.integers(1, 255))
def test_four_frames_of_the_largest_batch_fill_the_window(input_bytes: int, window: int, most: int) -> None:
    shape = Shape(input_bytes, 4, window, most, True)
    batch = shape.largest_batch()
    assert 1 <= batch <= most
    assert batch == 1 or 4 * shape.request_bytes(batch) <= window
    assert batch == most or 4 * shape.request_bytes(batch + 1) > window
