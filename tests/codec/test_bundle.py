"""A bundle that is missing, of another version, damaged or edited is one line that says what to run."""

import json
import shutil

import numpy as np
import pytest

from qcskit.codec.bundle import Adc, read_bundle
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import QcsError


@pytest.fixture
def path(bundle_path, tmp_path):
    shutil.copytree(bundle_path, tmp_path / "b")
    return tmp_path / "b"


def edit(path, **changes) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    for key, value in changes.items():
        place = manifest
        *outer, last = key.split("__")
        for word in outer:
            place = place[word]
        place[last] = value
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_a_bundle_reads_back(bundle_path) -> None:
    bundle = read_bundle(bundle_path)
    assert bundle.manifest.schema_version == 2
    assert {"tables.npz", "vectors.npz", "c/qcs_model_small.c", "c/qcs_model_small.h"} <= bundle.manifest.files.keys()
    assert bundle.signal.m == bundle.manifest.inputs
    assert bundle.has("tables.npz")
    assert not bundle.has("nothing")
    with pytest.raises(QcsError, match="holds no nothing; run 'qcskit export' again"):
        bundle.read("nothing")
    assert open_codec(str(bundle_path)).name == "small"


def test_what_is_no_bundle(tmp_path) -> None:
    with pytest.raises(QcsError, match="does not exist; write one with 'qcskit export'"):
        read_bundle(tmp_path / "no")
    with pytest.raises(QcsError, match=r"has no manifest\.json: this is not a bundle"):
        read_bundle(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(QcsError, match=r"manifest\.json is not valid JSON"):
        read_bundle(tmp_path)
    (tmp_path / "manifest.json").write_text("[1]")
    with pytest.raises(QcsError, match="schema version None, this qcskit reads 2"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 1}, "schema version 1, this qcskit reads 2; run 'qcskit export' again"),
        ({"name": "9bad"}, "manifest.json: name: String should match pattern"),
        ({"packed_bytes_max": 0}, "manifest.json: packed_bytes_max"),
        ({"extra": 1}, "manifest.json: extra"),
        ({"codec__kind": "leraned"}, "codec: there is no codec kind 'leraned'; did you mean 'learned'"),
        ({"codec": {"kind": "learned"}}, "manifest.json: codec"),
        ({"codec": 5}, "manifest.json: codec"),
        ({"adc__scale": "x"}, r"manifest.json: adc\.scale"),
    ],
)
def test_a_manifest_that_is_wrong(path, changes, message) -> None:
    edit(path, **changes)
    with pytest.raises(QcsError, match=message) as caught:
        read_bundle(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("run 'qcskit export' again")


def test_files_that_are_missing_or_changed(path) -> None:
    content = (path / "decoder.tflite").read_bytes()
    (path / "decoder.tflite").write_bytes(content[:-1] + b"\0\0")
    with pytest.raises(QcsError, match=r"decoder\.tflite does not match manifest.json \(sha256 differs\)"):
        read_bundle(path)
    (path / "decoder.tflite").unlink()
    with pytest.raises(QcsError, match=r"decoder\.tflite is missing"):
        read_bundle(path)


def test_arrays_that_are_no_npz(bundle_path) -> None:
    from dataclasses import replace

    bundle = replace(read_bundle(bundle_path), content={"tables.npz": b"PK nonsense", "vectors.npz": b""})
    for name in ("arrays", "vectors"):
        with pytest.raises(QcsError, match=r"\.npz is not a readable \.npz file"):
            getattr(bundle, name)


def test_an_ideal_converter() -> None:
    adc = Adc(scale=0.5, offset_counts=10)
    counts = adc.counts([[-1.0, 0.0, 0.25, 0.75, 1e9, -1e9]])
    assert counts.tolist() == [[8, 10, 10, 12, 32767, -32768]]  # ties to even, then saturation
    assert counts.dtype == np.int16
    with pytest.raises(QcsError, match="measurement frame 2 holds NaN or infinity"):
        adc.counts([0, 1, np.nan])
