"""What the family proposes when codecs are compared: only behind a Φ, and only what a word has bits for."""

from typing import Any

import pytest

from qcskit.export.sparse.candidates import candidates

SIGNAL = {"n": 20, "m": 10, "s": 2, "matrix": "dct"}


@pytest.mark.parametrize(
    ("front", "why"),
    [
        ({}, "it searches with the Φ of an analog front end; name yours with -c"),
        ({"signal": SIGNAL | {"matrix": "identity", "m": 20}}, "it searches with the Φ of an analog front end"),
        ({"signal": SIGNAL | {"s": 3}}, "s = 3: the exact search is for s <= 2; train a learned codec"),
        ({"signal": SIGNAL | {"n": 200, "m": 100}}, "makes 1 … 32 bits of a vector of n = 200"),
    ],
)
def test_where_it_does_not_apply_it_says_why(front: Any, why: str) -> None:
    for found in candidates((32,), (1.0, 2.0), front):
        assert found.designs == {}
        assert why in found.refused
        assert "\n" not in found.refused


def test_rates_are_whole_bytes_of_a_packet_and_low_ones_points_in_the_plane() -> None:
    front = {"signal": SIGNAL, "adc": {"bits": 10}}
    found, ranged = candidates((32,), (0.5, 0.7, 1.0, 1.5, 2.0), front)
    assert not found.refused + ranged.refused
    assert {rate: (settings["sparse"]["bits"], settings["sparse"]["code"]) for rate, settings in ranged.designs.items()
            } == {0.5: (10, "range"), 0.7: (14, "range"), 1.0: (20, "range"), 1.5: (30, "range")}  # fmt: skip
    told = {rate: settings["sparse"] for rate, settings in found.designs.items()}
    assert {rate: (keys["bits"], keys["windows"], keys.get("code", "lloyd")) for rate, keys in told.items()} == {
        0.5: (10, 4, "plane"), 0.7: (14, 4, "plane"), 1.0: (20, 2, "lloyd"), 1.5: (30, 4, "lloyd"),
    }  # fmt: skip
    assert all(settings["signal"] == SIGNAL and settings["adc"] == {"bits": 10} for settings in found.designs.values())
    single, _ = candidates((32,), (0.5,), {"signal": SIGNAL | {"s": 1}})
    assert "code" not in single.designs[0.5]["sparse"]
