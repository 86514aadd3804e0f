"""What a shell offers behind TAB; asked only then."""

from collections.abc import Iterable
from typing import get_args


def _beginning(known: Iterable[str], incomplete: str) -> list[str]:
    return [word for word in known if word.startswith(incomplete)]


def settings(incomplete: str) -> list[str]:
    """Offer the keys of all tables for --set."""
    from qcskit.cli.common import model_of
    from qcskit.codec.config import tables

    return _beginning((f"{table}.{key}=" for table in tables() for key in model_of(table).model_fields), incomplete)


def boards(incomplete: str) -> list[str]:
    """Offer the names of boards."""
    from qcskit import firmware

    return _beginning(firmware.boards(), incomplete)


def ports(incomplete: str) -> list[str]:
    """Offer emulated boards, and the serial ports of this machine."""
    from serial.tools.list_ports import comports

    emulated = (f"emu:{name}" for name in boards(""))
    return _beginning([*emulated, *(port.device for port in comports())], incomplete)


def codecs(incomplete: str) -> list[str]:
    """Offer what can be designed."""
    from qcskit.codec.codecs import families

    known = (name for family in families() if family.design for name in family.room("design").METHODS)
    return _beginning(known, incomplete)


def methods(incomplete: str) -> list[str]:
    """Offer what can be swept."""
    from qcskit.codec.codecs import families

    known = (name for family in families() if family.sweep for name in family.room("sweep").METHODS)
    return _beginning(known, incomplete)


def packages(incomplete: str) -> list[str]:
    """Offer the forms of libraries."""
    from qcskit.export.packages import KINDS

    return _beginning(KINDS, incomplete)


def packet_formats(incomplete: str) -> list[str]:
    """Offer the forms of packets."""
    from qcskit.codec.packet_files import READ

    return _beginning(dict.fromkeys(READ.values()), incomplete)


def variants(incomplete: str) -> list[str]:
    """Offer the variants of a training."""
    from qcskit.training.config import Variant

    return _beginning(get_args(Variant), incomplete)


def counts_or_units(incomplete: str) -> list[str]:
    """Offer what a file of samples may hold."""
    return _beginning(("auto", "counts", "units"), incomplete)
