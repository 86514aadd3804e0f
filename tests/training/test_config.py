"""Table [train]: defaults of recipes and signals, the quantizer of a rate, refusals."""

import numpy as np
import pytest

from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig
from qcskit.training.config import VARIANTS, TrainConfig, choose_quantizer

SIGNAL = SignalConfig(n=8, m=4, s=1)


def test_variant_not_given_is_the_hard_forward_from_8_levels_on() -> None:
    few, many = (TrainConfig(levels=levels).resolved(SIGNAL) for levels in (4, 8))
    assert (few.variant, few.steepness_end) == ("deepqcs", 105)
    assert (many.variant, many.steepness_end) == ("hard-surrogate", 30)
    assert TrainConfig(levels=64, steepness_end=50).resolved(SIGNAL).steepness_end == 50
    assert TrainConfig(levels=64, variant="deepqcs").resolved(SIGNAL).steepness_end == 105
    assert TrainConfig(levels=64, recipe="paper").resolved(SIGNAL).variant == "deepqcs"


def test_odd_is_chosen_where_the_source_and_the_activation_allow_it(tmp_path) -> None:
    assert TrainConfig().resolved(SIGNAL).odd
    assert not TrainConfig(encoder_activation="relu").resolved(SIGNAL).odd
    assert not TrainConfig(levels=2).resolved(SIGNAL).odd
    assert not TrainConfig(recipe="paper").resolved(SIGNAL).odd
    np.save(tmp_path / "r.npy", np.zeros(100))
    recorded = SIGNAL.model_copy(update={"source": "recorded", "recording": str(tmp_path / "r.npy")})
    assert not TrainConfig().resolved(recorded).odd
    with pytest.raises(ValueError, match="odd needs one of the activations tanh, hard_tanh"):
        TrainConfig(odd=True, encoder_activation="relu")


def test_recipes_are_defaults_that_given_keys_win_over() -> None:
    best = TrainConfig(recipe="best")
    assert (best.decoder_hidden, best.decoder_factor) == (5, 10)
    assert TrainConfig(recipe="best", decoder_factor=3).decoder_factor == 3
    paper = TrainConfig(recipe="paper", length=0.01)
    assert (paper.optimizer, paper.batch, paper.total_steps) == ("adam", 100, 100_000)
    assert TrainConfig(**paper.model_dump()) == paper


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_a_set_of_schedules_that_given_keys_win_over(variant: str) -> None:
    own = {key: getattr(TrainConfig(variant=variant), key) for key in VARIANTS[variant]}
    assert own == VARIANTS[variant] != {key: getattr(TrainConfig(variant="deepqcs"), key) for key in own}
    given = TrainConfig(variant=variant, mix_end=0.5, steepness_end=900)
    assert (given.mix_end, given.steepness_end) == (0.5, 900)


def test_the_variant_that_was_not_given_sets_its_schedules_too() -> None:
    chosen, named = TrainConfig(levels=8).resolved(SIGNAL), TrainConfig(levels=8, variant="hard-surrogate")
    keys = ("mix_start", "mix_end")
    assert [getattr(chosen, key) for key in keys] == [getattr(named, key) for key in keys] == [1, 1]
    assert TrainConfig(levels=8, mix_start=0.25).resolved(SIGNAL).mix_start == 0.25


@pytest.mark.parametrize(
    ("rate", "outputs", "levels", "expected"),
    [(0.5, None, None, (10, 2)), (3, None, None, (10, 64)), (1, 5, None, (5, 16)), (1.5, None, 4, (15, 4))],
)
def test_a_rate_chooses_the_quantizer(rate, outputs, levels, expected) -> None:
    k, i = choose_quantizer(rate, 20, outputs, levels, 10)
    assert (k, i) == expected
    assert k * np.log2(i) == rate * 20


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"levels": 1}, r"levels: .*greater than or equal to 2"),
        ({"encoder_activation": "tahn"}, "encoder_activation = 'tahn'; did you mean 'tanh'"),
        ({"encoder_widths": [8, 0]}, r"encoder_widths.1: .*greater than 0"),
        ({"batches": [0]}, r"batches.0: .*greater than 0"),
        ({"outputs": 0}, r"outputs: .*greater than or equal to 1"),
        ({"rate": 0.33}, "no quantizer sends 0.33 bits per entry .6.6 bits per frame of n = 20.; nearest: 0.3, 0.35"),
        ({"rate": 1.5, "outputs": 7}, "with K = 7; nearest: 1.4, 1.75"),
        ({"rate": 1, "levels": 4, "outputs": 4}, "at most two of the three"),
        ({"variant": "deepqcs-st"}, "variant"),
        ({"variant": "ce-decnet", "outputs": 3}, "ce-decnet quantizes the m = 10 measurements; leave it out"),
        ({"variant": "lloyd-decnet", "outputs": 3}, "lloyd-decnet quantizes"),
        ({"recipe": "slow"}, "recipe"),
        ({"steepness_start": 9.0, "steepness_end": 3.0}, "steepness_end must not be below steepness_start"),
        ({"steps": 100, "warmup_steps": 100}, r"warmup_steps \(100\) must be fewer than steps \(100\): lower"),
        ({"length": 1e-6}, "at least 10 steps"),
        ({"widths": 3}, "unknown key 'widths'"),
    ],
)
def test_a_bad_configuration_is_one_clear_line(keys, message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        load_table(TrainConfig, "train", None, keys).resolved(SignalConfig())
    assert "\n" not in str(caught.value)
