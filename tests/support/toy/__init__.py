"""A codec of variable length, whole: two windows per packet, first difference + Rice, a raw escape.

It is what a new family costs, and what shows that nothing outside a family's room knows the families.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qcskit.codec import codecs
from qcskit.codec.interface import Codec
from qcskit.codec.sensor import AdcConfig
from qcskit.export.config import ExportConfig

FAMILY = codecs.Family("toy", 200, "first differences, Rice-coded", "toy", "support.toy.bundle", "support.toy.design")


@contextmanager
def registered() -> Iterator[None]:
    """Add the family to the registry, and take it out at the end."""
    codecs.register(FAMILY)
    try:
        yield
    finally:
        del codecs._FAMILIES[FAMILY.kind]


def toy_bundle(path: Path, *, n: int = 8, name: str = "toy", offset: int = 100) -> Codec:
    """Write a small toy bundle, and open it; the family must be registered."""
    design = FAMILY.room("design")
    export = ExportConfig(name=name, golden_frames=32, test_frames=500)
    design.design(path, {"toy": design.ToyConfig(n=n), "adc": AdcConfig(offset_counts=offset)}, export)
    return codecs.open_codec(path)
