"""Packets of any length: made, joined, chosen, compared; against plain lists of byte strings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets

LISTS = st.lists(st.binary(max_size=9), max_size=12)


@given(LISTS)
def test_packets_are_the_list_they_came_from(strings: list[bytes]) -> None:
    packets = Packets.of(strings)
    assert list(packets) == strings
    assert len(packets) == len(strings)
    assert packets.lengths.tolist() == [len(string) for string in strings]
    assert (packets.bytes.dtype, packets.offsets.dtype) == (np.uint8, np.int64)
    assert b"".join(strings) == packets.bytes.tobytes()
    rows = packets.table(12)
    assert [row.tobytes() for row in rows] == [string.ljust(12, b"\0") for string in strings]
    assert list(Packets.rows(rows, packets.lengths)) == strings


@given(st.lists(LISTS, max_size=4))
def test_join_is_concatenation(lists: list[list[bytes]]) -> None:
    joined = Packets.join([Packets.of(strings) for strings in lists])
    assert list(joined) == [string for strings in lists for string in strings]
    assert joined.offsets[0] == 0


@given(LISTS, st.data())
def test_select_is_indexing(strings: list[bytes], data: st.DataObject) -> None:
    packets = Packets.of(strings)
    numbers = data.draw(st.lists(st.integers(0, len(strings) - 1), max_size=6) if strings else st.just([]))
    assert list(packets.select(np.array(numbers, int))) == [strings[number] for number in numbers]
    chosen = slice(data.draw(st.integers(-4, 14)), data.draw(st.integers(-4, 14)))
    assert list(packets.select(chosen)) == strings[chosen]
    assert list(packets.select(slice(None, None, 2))) == strings[::2]
    mask = np.array([len(string) > 3 for string in strings], bool)
    assert list(packets.select(mask)) == [string for string in strings if len(string) > 3]


@given(LISTS, LISTS)
def test_differ_compares_bytes_and_lengths(a: list[bytes], b: list[bytes]) -> None:
    pairs = list(zip(a, b, strict=False))
    found = Packets.of([x for x, _ in pairs]).differ(Packets.of([y for _, y in pairs]))
    assert found.tolist() == [x != y for x, y in pairs]


def test_trailing_zeros_count() -> None:
    assert Packets.of([b"a"]).differ(Packets.of([b"a\0"])).tolist() == [True]


def test_a_packet_longer_than_the_room_is_named() -> None:
    with pytest.raises(QcsError, match="packet 1 has 3 bytes, at most 2 are possible"):
        Packets.of([b"a", b"abc"]).table(2)


def test_rows_without_lengths_are_whole() -> None:
    rows = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert list(Packets.rows(rows)) == [b"\0\1\2", b"\3\4\5"]
    with pytest.raises(IndexError):
        Packets.rows(rows)[2]
    assert Packets.rows(rows)[-1] == b"\3\4\5"


def test_packets_are_told_in_one_line() -> None:
    assert repr(Packets.of([b"ab", b"cd", b"ef"])) == "<3 packets of 2 bytes, 6 bytes in all>"
    assert repr(Packets.of([b"ab", b"", b"cdefg"])) == "<3 packets of 0 to 5 bytes, 7 bytes in all>"
    assert repr(Packets.of([])) == "<0 packets>"
