"""Packets in files: every suffix there and back, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from support.bundles import transform_bundle

from qcskit.codec import QcsError, load_packets, open_codec, save_packets
from qcskit.codec.interface import Codec
from qcskit.codec.packet_files import READ, WRITTEN


@pytest.fixture(scope="module", params=["fixed", "varying"])
def codec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundle_path: Path) -> Codec:
    """A codec whose packets have one size, and one whose packets have many."""
    if request.param == "fixed":
        return open_codec(bundle_path)
    return transform_bundle(tmp_path_factory.mktemp("packets") / "bundle")


@pytest.mark.parametrize("suffix", sorted(READ.keys() & WRITTEN.keys()))
@pytest.mark.parametrize("kind", [str, Path])
def test_what_was_saved_is_loaded(codec: Codec, tmp_path: Path, suffix: str, kind: type) -> None:
    packets = codec.encode_counts(codec.bundle.vectors["counts"])
    file = kind(tmp_path / f"packets{suffix}")
    save_packets(file, packets, codec)
    loaded = load_packets(file, codec)
    assert np.array_equal(loaded.offsets, packets.offsets)
    assert np.array_equal(loaded.bytes, packets.bytes)


@pytest.mark.parametrize("suffix", [".h", ".C"])
def test_a_suffix_of_c_gives_c(codec: Codec, tmp_path: Path, suffix: str) -> None:
    save_packets(tmp_path / f"packets{suffix}", codec.encode_counts(codec.bundle.vectors["counts"]), codec)
    assert f"qcs_{codec.name}_packets[" in (tmp_path / f"packets{suffix}").read_text()


def test_an_unknown_suffix_is_refused_and_nothing_written(codec: Codec, tmp_path: Path) -> None:
    packets = codec.encode_counts(codec.bundle.vectors["counts"])
    for name, hint in (("packets.bni", "did you mean '.bin'"), ("packets", "known: .bin, .hex")):
        with pytest.raises(QcsError, match=rf"packets '.*{name}': no format has the suffix .*{hint}"):
            save_packets(tmp_path / name, packets, codec)
        with pytest.raises(QcsError, match=rf"packets '.*{name}': no format has the suffix .*{hint}"):
            load_packets(tmp_path / name, codec)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_told_with_the_name_of_the_file(codec: Codec, tmp_path: Path) -> None:
    (tmp_path / "packets.hex").write_text("zz\n")
    with pytest.raises(QcsError, match=r"^packets '.*packets\.hex': input line 1 is not one packet"):
        load_packets(tmp_path / "packets.hex", codec)
    with pytest.raises(QcsError, match=r"^packets '.*none\.hex' does not exist$"):
        load_packets(tmp_path / "none.hex", codec)
