"""Ports that are not there."""

import pytest

from qcskit.hil import Device
from qcskit.hil.errors import LinkError


def test_a_port_that_does_not_exist() -> None:
    with pytest.raises(LinkError, match="'/dev/ttyNONE': it does not exist"):
        Device.open("/dev/ttyNONE")


def test_nothing_listens_there() -> None:
    with pytest.raises(LinkError, match="nothing listens"):
        Device.open("socket://127.0.0.1:1")
