"""Settings of an export that cannot work are refused when they are read."""

import pytest

from qcskit.export.config import ExportConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adc_bits": 16, "adc_offset_counts": -1}, "leaves the int16 that a count is"),
        ({"adc_bits": 12, "adc_offset_counts": 31_000}, "subtract the offset in the firmware"),
        ({"input_ranges": (0.0,)}, "greater than 0.000001"),
        ({"hidden_ranges": (float("nan"),)}, "finite number"),
        ({"max_loss_db": float("nan")}, "finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        ExportConfig(**settings)
