"""The registry: which families of codecs there are. Nothing of a family is loaded before it is asked for.

A family is a kind (its word in manifest.json and TOML), a number (INFO.codec on the wire; never reused) and its rooms:

`codec/…/<kind>/bundle.py`     Facts, its part of manifest.json; read(bundle), the codec of a bundle
`export/…/<kind>/design.py`    how `qcskit design` makes a bundle without training, if it can
`training/…/<kind>/sweep.py`   its methods as points of a sweep, if it has any;
`export/…/<kind>/sweep.py`     the same of codecs that are designed
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcskit.codec.errors import QcsError

if TYPE_CHECKING:
    from qcskit.codec.bundle import Bundle
    from qcskit.codec.interface import Codec


@dataclass(frozen=True)
class Family:
    """One family of codecs. table: its TOML table. Module names; "" where it has no such room."""

    kind: str
    number: int
    about: str
    table: str
    codec: str
    design: str = ""
    sweep: str = ""

    def room(self, name: str) -> Any:
        """Return the module of a room: codec, design or sweep. Raises QcsError if the family has none."""
        place = str(vars(self)[name])
        if not place:
            raise QcsError(f"there is no '{name}' for codecs of kind {self.kind}: {self.about}")
        return import_module(place)

    @property
    def again(self) -> str:
        """What to do where a bundle of the family is damaged."""
        return f"run 'qcskit {'design' if self.design else 'export'}' again"


def _family(kind: str, number: int, about: str, table: str = "", design: bool = True, sweep: str = "") -> Family:
    """Return a family of the kit. sweep: the part of the kit that has its room of this name, "" for none."""
    return Family(
        kind, number, about, table or kind, f"qcskit.codec.{kind}.bundle",
        f"qcskit.export.{kind}.design" if design else "", f"qcskit.{sweep}.{kind}.sweep" if sweep else "",
    )  # fmt: skip


_FAMILIES = {
    family.kind: family
    for family in (
        _family("learned", 1, "trained by 'qcskit train', then 'qcskit export RUN'", "train", False, "training"),
        _family("coded", 2, "integer sparse x, exact recovery or a flag"),
        _family("classical", 3, "the baselines of quantized compressed sensing", sweep="training"),
        _family("transform", 4, "plain sensor windows: integer transform and range coder"),
        _family("sparse", 5, "x sparse and Φ known: exact search of the support on the device", sweep="export"),
    )
}

RESERVED: dict[int, str] = {}
"""Numbers given to families to come."""


def families() -> tuple[Family, ...]:
    """Return every family, the registered ones last."""
    return tuple(_FAMILIES.values())


def register(family: Family) -> None:
    """Add a family from outside. Raises QcsError if its kind or number is taken by another one.

    An equal family may be registered again: worker processes do.
    """
    for known in _FAMILIES.values():
        if known != family and (known.kind == family.kind or known.number == family.number):
            raise QcsError(f"codec kind '{family.kind}' ({family.number}): '{known.kind}' ({known.number}) has it")
    if RESERVED.get(family.number, family.kind) != family.kind or not 1 <= family.number <= 255:
        raise QcsError(f"codec kind '{family.kind}': number {family.number} is reserved or not in 1 … 255")
    _FAMILIES[family.kind] = family


def find_family(kind: object) -> Family:
    """Return the family of a kind. Raises QcsError that names the nearest one."""
    if not isinstance(kind, str) or kind not in _FAMILIES:
        near = get_close_matches(str(kind)[:40], _FAMILIES, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(_FAMILIES)}"
        raise QcsError(f"there is no codec kind '{str(kind)[:40]}'; {hint}")
    return _FAMILIES[kind]


def kind_of(number: int) -> str:
    """Return the kind with this number, "#9" if there is none.

    >>> kind_of(1), kind_of(99)
    ('learned', '#99')
    """
    found = (family.kind for family in _FAMILIES.values() if family.number == number)
    return next(found, RESERVED.get(number, f"#{number}"))


def load_codec(bundle: "Bundle") -> "Codec":
    """Return the codec of a bundle. Raises QcsError if manifest, tables and golden vectors contradict each other."""
    codec: Codec = find_family(bundle.manifest.codec.kind).room("codec").read(bundle)
    if bundle.has("vectors.npz"):  # a draft has none yet
        from qcskit.codec.golden import check_vectors  # this module stays light, as below

        check_vectors(codec)
    return codec


def open_codec(path: str | Path) -> "Codec":
    """Return the codec of the bundle at `path`. Raises QcsError that names the file at fault.

    >>> from qcskit.codec import metrics, open_codec
    >>> codec = open_codec("bundle")
    >>> codec
    <learned codec 'small' 3b...: 10 counts to 4 bytes to 20 entries, 1.5 bits per entry, NMSE -13... dB>
    >>> x, y = codec.draw(1000, seed=1)
    >>> packets = codec.encode(y)
    >>> packets
    <1000 packets of 4 bytes, 4000 bytes in all>
    >>> round(metrics.nmse_db(x, codec.decode(packets)))
    -14
    """
    from qcskit.codec.bundle import read_bundle  # this module stays light: configuration and firmware ask it

    return load_codec(read_bundle(path))


def opened(codec: "Codec | str | Path") -> "Codec":
    """Return a codec, or that of the bundle at a path."""
    return open_codec(codec) if isinstance(codec, str | Path) else codec
