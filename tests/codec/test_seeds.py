"""Every stage has frames of its own."""

from itertools import combinations

import numpy as np

from qcskit.codec import seeds
from qcskit.codec.signal import SignalConfig, draw_frames

OFFSETS = {name: value for name, value in vars(seeds).items() if name.isupper() and name != "HIL_RUN"}


def test_offsets_are_apart() -> None:
    assert len(set(OFFSETS.values())) == len(OFFSETS)
    assert min(abs(a - b) for a, b in combinations(OFFSETS.values(), 2)) > 500_000  # more than users' seeds and blocks


def test_no_stage_sees_another_one_s_frames() -> None:
    drawn = [draw_frames(SignalConfig(), 3, 7 + offset)[0].tobytes() for offset in (0, *OFFSETS.values())]
    assert len(set(drawn)) == len(drawn)
    assert np.array_equal(draw_frames(SignalConfig(), 3, 7)[1], draw_frames(SignalConfig(), 3, 7)[1])
