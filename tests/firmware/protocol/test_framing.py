"""The parser against an independent COBS (written out from the paper's definition) and against arbitrary bytes."""

import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.firmware.protocol.framing import Frame, FrameParser, decode_stretch, encode_frame, wire_bytes

payloads = st.binary(max_size=700)
frames = st.tuples(st.integers(0, 255), st.integers(0, 65535), payloads)


def cobs_encode(data: bytes) -> bytes:
    """Cheshire and Baker's definition, block by block."""
    out, block = bytearray(), bytearray()
    for byte in data + b"\0":
        if byte == 0:
            out += bytes([len(block) + 1]) + block
            block.clear()
        else:
            block.append(byte)
            if len(block) == 254:
                out += b"\xff" + block
                block.clear()
    # The phantom zero after a full last block adds an empty block that the usual encoder leaves out.
    return bytes(out[:-1]) if data and len(data) >= 254 and out[-1] == 1 and _full_end(data) else bytes(out)


def _full_end(data: bytes) -> bool:
    run = len(data) - (data.rfind(b"\0") + 1)
    return run > 0 and run % 254 == 0


@given(frames)
def test_a_frame_is_what_the_specification_says(frame: tuple[int, int, bytes]) -> None:
    kind, seq, payload = frame
    body = bytes([2, kind, seq & 255, seq >> 8]) + payload
    body += binascii.crc32(body).to_bytes(4, "little")
    assert encode_frame(kind, seq, payload) == b"\0" + cobs_encode(body) + b"\0"
    assert len(encode_frame(kind, seq, payload)) <= wire_bytes(len(payload))


@given(st.lists(st.one_of(frames, st.binary(max_size=80)), max_size=12), st.randoms(use_true_random=False))
def test_frames_survive_any_chunking_and_any_neighbours(parts: list[object], random: object) -> None:
    wire = b"".join(part if isinstance(part, bytes) else encode_frame(*part) for part in parts)  # type: ignore[misc]
    parser, found, position = FrameParser(), [], 0
    while position < len(wire):
        step = random.randint(1, 40)  # type: ignore[attr-defined]
        found += parser.feed(wire[position : position + step])
        position += step
    sent = [Frame(2, *part) for part in parts if not isinstance(part, bytes)]  # type: ignore[misc]
    assert [frame for frame in found if frame in sent] == sent


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_arbitrary_bytes_never_raise_and_the_parser_still_works(chunks: list[bytes]) -> None:
    text: list[bytes] = []
    parser = FrameParser(text.append)
    got = [frame for chunk in chunks for frame in parser.feed(chunk)]
    parser.flush()
    assert parser.feed(encode_frame(3, 9, b"still here"))[-1] == Frame(2, 3, 9, b"still here")
    if not got:
        assert b"".join(text) == b"".join(chunks).replace(b"\0", b"")


@given(frames, st.data())
def test_a_damaged_frame_is_never_taken_for_another(frame: tuple[int, int, bytes], data: st.DataObject) -> None:
    wire = bytearray(encode_frame(*frame))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(1, len(wire) - 2))
        action = data.draw(st.sampled_from(("flip", "drop", "double")))
        if action == "flip":
            wire[place] ^= data.draw(st.integers(1, 255))
        elif action == "drop" and len(wire) > 4:
            del wire[place]
        else:
            wire.insert(place, wire[place])
    for found in FrameParser().feed(bytes(wire)):
        assert found == Frame(2, *frame)


def test_an_endless_stretch_does_not_grow_the_parser() -> None:
    text: list[bytes] = []
    parser = FrameParser(text.append)
    for _ in range(50):
        parser.feed(b"x" * 10_000)
    assert sum(map(len, text)) >= 430_000
    assert parser.feed(encode_frame(1, 2))[0].seq == 2


@pytest.mark.parametrize("content", [b"", b"\x02", b"\x02\x01", b"\x02\x01\x34"])
def test_too_short_a_body_is_no_frame_whatever_its_crc(content: bytes) -> None:
    whole = b"\x02\x01\x34\x12"
    assert decode_stretch(cobs_encode(whole + binascii.crc32(whole).to_bytes(4, "little"))) == Frame(2, 1, 0x1234, b"")
    assert decode_stretch(cobs_encode(content + binascii.crc32(content).to_bytes(4, "little"))) is None
    assert decode_stretch(cobs_encode(content)) is None


def test_the_end_of_a_stretch_is_no_frame_if_its_start_was_passed_on() -> None:
    parser, text = FrameParser(lambda part: text.append(part)), []
    end = encode_frame(3, 7, b"hi")[1:]
    assert parser.feed(b"x" * 70_001) == []  # too long to be kept
    assert parser.feed(end) == []
    assert parser.feed(b"half") == []
    parser.flush()
    assert parser.feed(end + encode_frame(1, 8)) == [Frame(2, 1, 8, b"")]
    assert b"".join(text) == b"x" * 70_001 + end[:-1] + b"half" + end[:-1]
    assert parser.text_bytes == len(b"".join(text))
    assert parser.text_stretches == 3
