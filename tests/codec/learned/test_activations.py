"""One record per activation: bounds and boundaries against the functions themselves."""

import numpy as np
import pytest

from qcskit.codec.learned.activations import ACTIVATIONS


def value(name: str, a: np.ndarray) -> np.ndarray:
    functions = {"tanh": np.tanh(a), "hard_tanh": a.clip(-1, 1), "relu": a.clip(0), "relu6": a.clip(0, 6)}
    return (functions | {"sigmoid": 1 / (1 + np.exp(-a)), "linear": a})[name]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_apply_is_the_function(name) -> None:
    a = np.linspace(-9, 9, 1001)
    found = ACTIVATIONS[name].apply(a)
    np.testing.assert_allclose(found, value(name, a), rtol=1e-12, atol=1e-15)
    assert ACTIVATIONS[name].low <= found.min() <= found.max() <= ACTIVATIONS[name].high
    assert ACTIVATIONS[name].odd == bool(np.allclose(found, -found[::-1]))
    assert ACTIVATIONS[name].bounded == bool(np.abs(found).max() <= 1 and found.min() < 0)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_boundary_is_where_the_output_is_above_the_threshold(name) -> None:
    t = np.array([-1.5, -1.0, -0.3, 0.0, 0.7, 1.0, 2.0])
    a = np.linspace(-3, 3, 6001)[None, :]
    above = value(name, a) > t[:, None]
    edge = ACTIVATIONS[name].boundary(t)[:, None]
    assert np.array_equal(above, a > edge)


def test_the_clamp_rounds_half_away_from_zero() -> None:
    relu6 = ACTIVATIONS["relu6"]
    assert relu6.clamp(np.float32(0.04), -128, 8) == (-128, 22)
    assert ACTIVATIONS["hard_tanh"].clamp(np.float32(2 / 5), 0, 8) == (-3, 3)
    assert ACTIVATIONS["tanh"].clamp(np.float32(1), 0, 16) == (-32768, 32767)
    assert ACTIVATIONS["relu"].clamp(np.float32(1), -128, 8) == (-128, 127)


@pytest.mark.parametrize(
    ("name", "covered", "peak", "reached", "zero_point"),
    [
        ("sigmoid", 3.0, 9.0, 6.0, 0),  # as wide as the tanh that it is half of
        ("linear", 0.5, 9.0, 4.5, 0),
        ("tanh", 3.0, 9.0, 3.0, 0),  # ± what is covered
        ("hard_tanh", 3.0, 9.0, 1.0, 0),  # ± 1
        ("relu", 0.5, 9.0, 4.5, -128),  # from 0 to a part of the peak
        ("relu6", 0.5, 9.0, 4.5, -128),
        ("relu6", 0.9, 9.0, 6.0, -128),
        ("relu", 0.5, 0.0, 0.5, -128),  # never active
    ],
)
def test_the_grid_in_front_of_an_activation_covers_what_it_can_tell_apart(
    name: str, covered: float, peak: float, reached: float, zero_point: int
) -> None:
    scale, zero = ACTIVATIONS[name].pre_grid(covered, peak)
    assert zero == zero_point
    assert float(scale) * (127 - zero_point) == pytest.approx(reached)
