"""Ports that are not there."""

import os
from pathlib import Path

import pytest

from qcskit.hil import Device
from qcskit.hil.errors import LinkError
from qcskit.hil.link import Link, Transcript


def test_a_port_that_does_not_exist() -> None:
    with pytest.raises(LinkError, match="'/dev/ttyNONE': it does not exist"):
        Device.open("/dev/ttyNONE")


def test_nothing_listens_there() -> None:
    with pytest.raises(LinkError, match="nothing listens"):
        Device.open("socket://127.0.0.1:1")


def test_a_transcript_is_a_line_an_event_whatever_the_board_says() -> None:
    transcript = Transcript()
    transcript.add("#", "log", "\x1b[2J\nnext \u202e")
    assert str(transcript).endswith("# log \\x1b[2J next \\u202e")
    assert len(str(transcript).splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo terminal")
def test_a_spy_logs_to_a_new_file_and_empties_none(tmp_path: Path) -> None:
    log = tmp_path / "line.txt"
    board, host = os.openpty()
    link = Link(f"spy://{os.ttyname(host)}?file={log}")
    link.write(b"hi")
    link.wait_back(0)
    link.close()
    assert log.exists()
    log.write_text("kept")
    with pytest.raises(LinkError, match=r"would empty the file '.*line\.txt'; name a new one"):
        Link(f"spy://{os.ttyname(host)}?all&file={log}")
    assert log.read_text() == "kept"
    os.close(board)
    os.close(host)
