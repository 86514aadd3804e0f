"""The batch and repeat model against brute force."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.firmware.protocol.framing import encode_frame
from qcskit.firmware.protocol.messages import encode_payload, result_payload
from qcskit.hil.adapt import LinkModel, Shape, success

SHAPE = Shape(10, 4, 4096, 255, True)


def test_success_against_a_simulation() -> None:
    rng = np.random.default_rng(0)
    loss, there, back, repeats = 0.03, 25, 20, 4
    trials = 20_000
    arrives = (rng.random((trials, there)) > loss).all(axis=1)
    replies = (rng.random((trials, repeats, back)) > loss).all(axis=2).any(axis=1)
    wanted = float(success(there, back, 2, np.array([loss]))[0])
    assert (arrives & replies).mean() == pytest.approx(wanted, abs=0.012)


def choices_near(loss: float) -> set[tuple[int, int]]:
    """Return the cheapest batches and repeats at losses from half to one and a half of this one."""
    found, model = set(), LinkModel(SHAPE)
    for model.byte_loss in np.linspace(0.5 * loss, 1.5 * loss, 50):
        found.add(model._choose())
    return found


@pytest.mark.parametrize(
    ("loss", "batches", "repeats"),
    [(0.0, {100}, {0}), (0.002, {4, 8}, {0}), (0.03, {1, 2}, {1, 2}), (0.1, {1}, {2, 3, 4, 5})],
)
def test_the_model_finds_the_loss_of_a_line(loss: float, batches: set[int], repeats: set[int]) -> None:
    """Batches and repeats: those of losses from half to one and a half of this one."""
    rng = np.random.default_rng(1)
    model = LinkModel(SHAPE)
    for _ in range(3000):
        sizes = model.shape.request_bytes(model.batch), model.shape.reply_bytes(model.batch)
        p = float(success(*sizes, model.repeat_exponent, np.array([loss]))[0])
        model.note(model.batch, model.repeat_exponent, bool(rng.random() < p))
    assert model.byte_loss == pytest.approx(loss, rel=0.5, abs=1e-5)
    near = choices_near(loss)
    assert ({batch for batch, _ in near}, {repeat for _, repeat in near}) == (batches, repeats)
    assert (model.batch, model.repeat_exponent) in near


@given(st.integers(1, 300), st.integers(64, 4096), st.integers(1, 255))
def test_four_frames_of_the_largest_batch_fill_the_window(input_bytes: int, window: int, most: int) -> None:
    shape = Shape(input_bytes, 4, window, most, True)
    batch = shape.largest_batch()
    assert 1 <= batch <= most
    assert batch == 1 or 4 * shape.request_bytes(batch) <= window
    assert batch == most or 4 * shape.request_bytes(batch + 1) > window


@pytest.mark.parametrize("batch", [1, 7, 24, 25, 255])
def test_sizes_are_those_of_the_worst_frames(batch: int) -> None:
    """No byte is zero but the frame's own: COBS then stuffs most."""
    request = encode_frame(2, 0x1234, encode_payload(np.ones((batch, 10), np.int8)))
    reply = encode_frame(0x82, 0x1234, result_payload([b"\1" * 4] * batch, [0x01010101] * batch))
    assert 0 <= SHAPE.request_bytes(batch) - len(request) <= 1 + len(request) // 254
    assert 0 <= SHAPE.reply_bytes(batch) - len(reply) <= 1 + len(reply) // 254


@pytest.mark.parametrize("loss", [1e-4, 0.003, 0.03, 0.2])
@pytest.mark.parametrize(("can_repeat", "fixed"), [(True, None), (False, None), (True, 16)])
def test_the_choice_is_the_cheapest(loss: float, can_repeat: bool, fixed: int | None) -> None:
    """Bytes on the line per packet that comes back, by brute force: requests, and replies to those that arrive."""
    shape = Shape(10, 4, 4096, 255, can_repeat)
    model = LinkModel(shape, fixed)
    model.byte_loss = loss
    costs = {}
    for batch in [fixed] if fixed else [1, 2, 4, 8, 16, 32, 64, shape.largest_batch()]:
        for repeat in range(9 if can_repeat else 1):
            there, back = shape.request_bytes(batch), shape.reply_bytes(batch)
            arrives, comes = (1 - loss) ** there, 1 - (1 - (1 - loss) ** back) ** 2**repeat
            costs[batch, repeat] = (there + arrives * back * 2**repeat) / max(arrives * comes, 1e-300) / batch
    assert model._choose() == min(costs, key=lambda choice: costs[choice])


def test_a_clean_line_has_the_largest_batch_and_no_repeats() -> None:
    assert LinkModel(SHAPE)._choose() == (100, 0)
    assert LinkModel(SHAPE, 16)._choose() == (16, 0)
    assert LinkModel(SHAPE).success_share() == 1.0


def test_the_most_likely_loss_is_found_whatever_the_order() -> None:
    """60 % of 100 bytes there and back arrive: (1 − e)^100 = 0.6."""
    for outcomes in ([(6, 4)] * 40, [(240, 0), (0, 160)]):
        model = LinkModel(SHAPE)
        for answered, failed in outcomes:
            model.note_exchange(50, 50, 0, answered, failed)
        model._update()
        assert model.byte_loss == pytest.approx(1 - 0.6**0.01, rel=0.35)


@pytest.mark.parametrize(("answered", "failed"), [(30, 10), (10, 30), (100, 8)])
def test_the_estimate_is_the_least_loss_that_is_likely_still(answered: int, failed: int) -> None:
    """Below the likeliest, but hardly less likely than by a nat, the doubt of one."""

    def likelihood(loss: Any) -> Any:
        arrives = (1 - loss) ** 100
        return answered * np.log(arrives) + failed * np.log1p(-arrives)

    model = LinkModel(SHAPE)
    model.note_exchange(50, 50, 0, answered, failed)
    best = 1 - (answered / (answered + failed)) ** 0.01
    assert 0.3 * best < model.byte_loss < 0.95 * best
    assert 0.3 < likelihood(best) - likelihood(model.byte_loss) < 1.1


def test_the_model_learns_from_every_sixteenth_attempt_and_from_the_first_failure() -> None:
    model, learnt = LinkModel(SHAPE), []
    for attempt in range(1, 101):
        model.note(4, 0, answered=attempt != 50)
        learnt += [] if model._tally else [attempt]
    assert learnt == [16, 32, 48, 50, 66, 82, 98]


def test_equal_attempts_count_each() -> None:
    one, many = LinkModel(SHAPE), LinkModel(SHAPE)
    one.byte_loss = many.byte_loss = 0.1  # on a clean line a failure counts at once
    for answered, times in ((True, 5), (False, 4), (True, 3)):
        many.note(4, 1, answered, times)
        for _ in range(times):
            one.note(4, 1, answered)
    assert dict(one._tally) == dict(many._tally) == {(*_sizes(4), 1): [4, 8]}


def _sizes(batch: int) -> tuple[int, int]:
    return SHAPE.request_bytes(batch), SHAPE.reply_bytes(batch)
