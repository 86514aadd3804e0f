"""What a build is made of: the same sources elsewhere are the same image, and every change shows in its part."""

import shutil
from pathlib import Path

import pytest
from support.bundles import learned_bundle

from qcskit import firmware
from qcskit.codec.interface import Codec
from qcskit.firmware import provenance
from qcskit.firmware.provenance import build_parts, core_digest, image_digest


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return learned_bundle(tmp_path_factory.mktemp("provenance") / "b")


def parts_of(c_dir: Path, name: str, *flags: str) -> dict[str, str]:
    board = firmware.find_board("native")
    return build_parts(firmware.build(board, c_dir, name, extra_flags=flags), board.compiler)


def test_the_image_is_the_same_wherever_it_was_built(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debug text names the places, and the build id is a hash over it: neither is what runs."""
    here = parts_of(firmware.c_directory(codec.c_files()), codec.name)
    monkeypatch.setenv("QCSKIT_CACHE", str(tmp_path / "cache"))
    elsewhere = parts_of(firmware.c_directory(codec.c_files()), codec.name)
    assert here == elsewhere
    assert str(tmp_path) not in " ".join(elsewhere.values())


def test_every_change_shows_in_its_part(codec: Codec, tmp_path: Path) -> None:
    c_dir = firmware.c_directory(codec.c_files())
    base = parts_of(c_dir, codec.name)
    flagged = parts_of(c_dir, codec.name, "-O1")
    assert {name for name, text in base.items() if flagged[name] != text} == {"flags", "image"}
    assert flagged["flags"] == f"{base['flags']} -O1"
    other = Path(shutil.copytree(c_dir, tmp_path / "c"))
    source = other / f"qcs_model_{codec.name}.c"
    text = source.read_text()
    source.write_text(text.replace(".offset = 3,", ".offset = 4,"))
    assert source.read_text() != text
    changed = parts_of(other, codec.name)
    assert {name for name, text in base.items() if changed[name] != text} == {"image"}
    assert base["compiler"].startswith(("gcc", "cc", "clang", "Debian clang", "Apple clang"))


def test_any_other_file_is_hashed_whole() -> None:
    assert len({image_digest(content) for content in (b"", b"no ELF", b"no ELF.", b"\x7fELF")}) == 4


def test_every_file_of_the_core_is_in_its_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "c"
    for place in ("include", "src", "app", "ports"):
        shutil.copytree(firmware.sources() / place, root / place)
    whole = core_digest()
    monkeypatch.setattr(provenance, "sources", lambda: root)
    assert core_digest() == whole
    for name in ("include/qcs.h", "src/qcs_int8.c", "app/qcs_main.c"):
        content = (root / name).read_bytes()
        (root / name).write_bytes(content + b"\n")
        assert core_digest() != whole, name
        (root / name).write_bytes(content)
    assert core_digest() == whole
