"""Settings of an export that cannot work are refused when they are read."""

import pytest

from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.export.config import ExportConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_ranges": (0.0,)}, "greater than 0.000001"),
        ({"hidden_ranges": (float("nan"),)}, "finite number"),
        ({"input_quantiles": (0.5,)}, "greater than 0.5"),
        ({"input_quantiles": (1.01,)}, "less than or equal to 1"),
        ({"input_quantiles": ()}, "at least 1 item"),
        ({"auto_loss_db": float("inf")}, "finite number"),
        ({"max_loss_db": float("nan")}, "finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        ExportConfig(**settings)


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("adc_bits", "set adc.bits"),
        ("adc_offset_counts", "set adc.offset_counts"),
        ("input_ranges", "set export.input_quantiles, or adc.units_per_count"),
    ],
)
def test_a_key_of_old_names_what_took_its_place_in_one_line(key, instead) -> None:
    with pytest.raises(QcsError) as refused:
        load_table(ExportConfig, "export", overrides={key: 12})
    assert str(refused.value) == f"configuration: [export]: {key} is no key of [export]: {instead}"
