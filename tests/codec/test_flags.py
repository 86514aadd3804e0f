"""What a decoder says of packets that no encoder gives."""

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.codec.flags import check_good, check_lengths, definition
from qcskit.codec.interface import Packets


def test_the_first_packet_at_fault_is_named() -> None:
    check_lengths(Packets.of([b"ab", b"c"]), 2)
    with pytest.raises(QcsError, match=r"^packet 1 is empty; every packet has at least a byte$"):
        check_lengths(Packets.of([b"ab", b"", b""]), 2)
    with pytest.raises(QcsError, match=r"^packet 1 has 3 bytes, at most 2 are possible$"):
        check_lengths(Packets.of([b"ab", b"abc"]), 2)
    check_good(np.array([True, True]))
    with pytest.raises(QcsError, match=r"^packet 2 is damaged: no encoder of this model gives it$"):
        check_good(np.array([True, True, False, False]))


def test_the_definition_is_asked_packet_by_packet() -> None:
    (oracle,) = definition(lambda size, row: bytes(row[:size]), 2)
    assert (oracle.name, oracle.role) == ("definition", "oracle")
    assert list(oracle.encode(np.array([[1, 2, 3], [4, 5, 6]], np.int16))) == [b"\1\2", b"\4\5"]
