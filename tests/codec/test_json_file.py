"""JSON of unknown origin: what is JSON is read, all else is one line, whatever stands at the path."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from support.hostile import RAW, byte_mutants, odd_files

from qcskit.codec.errors import QcsError
from qcskit.codec.json_file import parse_json, read_bounded, read_json, why_invalid

SCALARS = (
    st.none() | st.booleans() | st.integers(1 - 2**63, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
VALUES = st.recursive(
    SCALARS | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


@given(VALUES)
def test_every_value_is_read_as_it_was_written(value: object) -> None:
    assert parse_json(json.dumps(value).encode(), "x") == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"\xff", "can't decode byte 0xff"),
        (b"NaN", "NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b"1e999", "1e999 is not a finite number"),
        (b"9223372036854775808", "is no integer of 64 bits"),
        (b"9" * 6000, "is no integer of 64 bits"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 65 + b"]" * 65, "nested too deeply"),
        (b'{"a": 1, "a": 1}', "key 'a' stands twice"),
        (b'["\\ud800"]', "half a surrogate pair"),
        (b'{"\\ud800": 1}', "half a surrogate pair"),
        (b"[1,]", ""),
        (b"", ""),
    ],
)
def test_what_is_no_json_is_one_line(text: bytes, told: str) -> None:
    with pytest.raises(QcsError, match=rf"^x is not valid JSON: [^\n]*{told}") as caught:
        parse_json(text, "x")
    assert len(str(caught.value)) < 250


def test_the_deepest_that_is_read() -> None:
    assert parse_json(b"[" * 64 + b"]" * 64, "x") is not None


def test_what_is_no_file_is_one_line_at_once(tmp_path: Path) -> None:
    for name, path in odd_files(tmp_path):
        if name == "empty":
            continue
        with pytest.raises(QcsError, match=r"^manifest '[^\n]*' (does not exist|is not a|is larger|cannot be read)"):
            read_json(path, "manifest", 1 << 20)


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_bounded(path, "f", 5) == b"12345"
    with pytest.raises(QcsError, match=r"^f '.*' is larger than 4 bytes$"):
        read_bounded(path, "f", 4)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux: a file that opens and cannot be read")
def test_a_file_that_fails_while_it_is_read_is_one_line() -> None:
    with pytest.raises(QcsError, match=r"^f '/proc/self/mem' cannot be read: [^\n]+$"):
        read_bounded(Path("/proc/self/mem"), "f", 5)


def test_no_mutant_does_more_than_be_refused(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None], "b": {"c": "täxt", "d": [True, [[]]]}}
    for _, content in byte_mutants(json.dumps(value, ensure_ascii=False).encode(), 1, 500):
        try:
            json.dumps(parse_json(content, "x"), allow_nan=False).encode()
        except QcsError as error:
            assert "\n" not in str(error)  # noqa: PT017
    for text in RAW.values():
        with pytest.raises(QcsError):
            parse_json(text.encode(), "x")


def test_what_a_schema_refuses_is_one_line() -> None:
    class Inner(BaseModel):
        n: int

    class Outer(BaseModel):
        items: dict[str, Inner]

    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"items": {"a\n\x1b" * 100: {"n": "x" * 10_000}}})
    told = why_invalid(caught.value)
    assert told.startswith("items.a\\n\\x1b")
    assert "valid integer" in told
    assert len(told) < 400
    assert told.isprintable()
