"""Evidence: every part has a name, a change of any of them is named, and nobody changes one unseen."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from support.tampered import tampered

import qcskit
from qcskit.codec import evidence
from qcskit.codec.bundle import read_bundle
from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence, bundle_digest, check_bundle, check_same, common_parts, differ, kit


def test_a_library_that_is_not_installed_is_not_named(monkeypatch) -> None:
    monkeypatch.setattr(evidence, "_LIBRARIES", ("numpy", "no-such-library", "scipy"))
    assert re.fullmatch(r".*, python [^,]*, numpy [^,]*, scipy [^,]*", evidence.libraries.__wrapped__())


PARTS = {"bundle": "ab", "compiler": "gcc 12", "seed": "1"}


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (PARTS, []),
        (dict(reversed(PARTS.items())), []),
        (PARTS | {"seed": "2"}, ["seed"]),
        (PARTS | {"compiler": "gcc 13", "bundle": "cd"}, ["bundle", "compiler"]),
        (PARTS | {"more": "1"}, ["more"]),
        ({"bundle": "ab"}, ["compiler", "seed"]),
        ({}, ["bundle", "compiler", "seed"]),
    ],
)
def test_what_differs_is_named(other: dict[str, str], names: list[str]) -> None:
    one, two = Evidence.of(PARTS), Evidence.of(other)
    assert one.differing(two) == names
    assert sorted(two.differing(one)) == sorted(names)
    assert (one.sha256 == two.sha256) == (not names)
    if not names:
        check_same(one, two, "it", "stop")
        return
    with pytest.raises(QcsError) as caught:
        check_same(one, two, "it", "stop")
    assert str(caught.value) == f"it is of another run: {differ(names)}; stop"


def test_a_part_that_was_changed_is_seen() -> None:
    made = Evidence.of(PARTS).model_dump()
    assert Evidence.model_validate(made) == Evidence.of(PARTS)
    for change in ({"parts": PARTS | {"seed": "2"}}, {"sha256": "0" * 64}, {"parts": {"bundle": "abcompiler"}}):
        with pytest.raises(ValidationError, match="sha256 is not that of the parts"):
            Evidence.model_validate(made | change)


def test_every_byte_of_a_bundle_is_evidence(bundle_path: Path, tmp_path: Path) -> None:
    """The manifest holds the digest of every other file, and `read_bundle` compares them."""
    bundle = read_bundle(bundle_path)
    assert {path.relative_to(bundle_path).as_posix() for path in bundle_path.rglob("*") if path.is_file()} == {
        *bundle.manifest.files, "manifest.json",
    }  # fmt: skip
    changed = tampered(bundle, tmp_path / "file", "vectors.npz", lambda content: content + b" ")
    renamed = tampered(bundle, tmp_path / "tools", "manifest.json", lambda manifest: manifest["tools"].update(x="1"))
    one, two = (Evidence.of(common_parts(found)) for found in (bundle, changed))
    assert one.differing(two) == ["bundle"]
    check_bundle(one, bundle, "it", "hil")
    for other in (changed, renamed):
        with pytest.raises(QcsError, match=r"^it is of another bundle than '.*' .*; run 'qcskit hil' on this bundle$"):
            check_bundle(one, other, "it", "hil")
    with pytest.raises(QcsError, match=r"^it is of another bundle"):
        check_bundle(Evidence.of({}), bundle, "it", "hil")


def test_a_manifest_without_checksum_has_the_same_digest(bundle_path: Path) -> None:
    bundle = read_bundle(bundle_path)
    bare = replace(bundle, manifest=bundle.manifest.model_copy(update={"checksum": None}))
    assert bundle_digest(bare) == bundle_digest(bundle)


def test_the_kit_is_its_version_and_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of namespace roots that hold the same file the first one counts, as in an import."""
    for root, files in (("one", {"a.py": "1", "b/c.py": "2"}), ("two", {"a.py": "3", "d.py": "4"})):
        for name, text in files.items():
            place = tmp_path / root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)

    def told(*roots: str) -> str:
        monkeypatch.setattr(qcskit, "__path__", [str(tmp_path / root) for root in roots])
        return kit.__wrapped__()

    assert told("one") == told("one") != told("two")
    both = told("one", "two")
    assert both not in (told("two", "one"), told("one"))
    (tmp_path / "two" / "a.py").write_text("5")
    assert told("one", "two") == both
    (tmp_path / "two" / "d.py").write_text("5")
    assert told("one", "two") != both
    (tmp_path / "two" / "d.py").rename(tmp_path / "two" / "e.py")
    (tmp_path / "two" / "e.py").write_text("4")
    assert told("one", "two") != both


def test_the_real_parts_say_what_they_are() -> None:
    assert kit().startswith("0.") or kit()[0].isdigit()
    assert "numpy" in evidence.libraries()
