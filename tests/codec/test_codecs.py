"""The registry: names, numbers, rooms, and what cannot be registered."""

from dataclasses import replace

import pytest
from support import toy

from qcskit.codec import codecs
from qcskit.codec.config import read_toml, tables
from qcskit.codec.errors import QcsError


def test_the_kit_s_own_families_keep_their_numbers() -> None:
    assert {f.kind: f.number for f in codecs.families()} == {"learned": 1, "coded": 2, "classical": 3, "transform": 4,
                                                              "sparse": 5}  # fmt: skip
    assert [codecs.kind_of(number) for number in (1, 2, 3, 4, 5, 9)] == [
        "learned",
        "coded",
        "classical",
        "transform",
        "sparse",
        "#9",
    ]


def test_every_room_of_every_family_is_there() -> None:
    for family in codecs.families():
        room = family.room("codec")
        assert room.Facts.model_fields["kind"].default == family.kind
        assert callable(room.read)
        if family.design:
            design = family.room("design")
            assert family.table in design.TABLES
            assert all(set(design.chosen(method)) <= set(design.TABLES) for method in design.METHODS)
        else:
            with pytest.raises(QcsError, match=f"no 'design' for codecs of kind {family.kind}: trained by"):
                family.room("design")


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(QcsError, match="no codec kind 'leraned'; did you mean 'learned'"):
        codecs.find_family("leraned")
    for other in ("zzz", None, 7):
        with pytest.raises(QcsError, match=f"no codec kind '{other}'; known: learned, coded, classical"):
            codecs.find_family(other)


def test_a_family_from_outside_is_one_among_the_others(tmp_path) -> None:
    (tmp_path / "qcs.toml").write_text("[toy]\nn = 4\n")
    with pytest.raises(QcsError, match=r"unknown table \[toy\]"):
        read_toml(tmp_path / "qcs.toml")
    with toy.registered():
        codecs.register(toy.FAMILY)  # again: worker processes do
        assert codecs.find_family("toy") is toy.FAMILY
        assert codecs.kind_of(200) == "toy"
        assert "toy" in tables()
        assert read_toml(tmp_path / "qcs.toml") == {"toy": {"n": 4}}
    assert "toy" not in tables()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "coded"}, r"codec kind 'coded' \(200\): 'coded' \(2\) has it"),
        ({"number": 3}, r"codec kind 'toy' \(3\): 'classical' \(3\) has it"),
        ({"number": 5}, r"'sparse' \(5\) has it"),
        ({"number": 9}, "number 9 is reserved"),
        ({"number": 0}, "not in 1 … 255"),
        ({"number": 256}, "not in 1 … 255"),
    ],
)
def test_what_clashes_is_refused(change, message, monkeypatch) -> None:
    monkeypatch.setattr(codecs, "RESERVED", {9: "later"})
    before = codecs.families()
    with pytest.raises(QcsError, match=message):
        codecs.register(replace(toy.FAMILY, **change))
    assert codecs.families() == before


def test_a_reserved_number_is_for_its_own_kind(monkeypatch) -> None:
    monkeypatch.setattr(codecs, "_FAMILIES", dict(codecs._FAMILIES))
    monkeypatch.setattr(codecs, "RESERVED", {9: "later"})
    assert codecs.kind_of(9) == "later"
    codecs.register(replace(toy.FAMILY, kind="later", number=9))
    assert codecs.kind_of(9) == "later"
