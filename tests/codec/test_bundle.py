"""A bundle that is missing, of another version, damaged or edited is one line that says what to run."""

import json
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import BUNDLES

from qcskit.codec.bundle import Adc, Bundle, manifest_checksum, read_bundle
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.files import npz_bytes
from qcskit.firmware import HostCodec, build_host_library, c_directory


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


@settings(deadline=None)
@given(st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=20), st.floats(1e-6, 1e3), st.integers(-32768, 32767))
def test_a_converter_saturates_and_never_changes_the_sign(y: list[float], scale: float, offset: int) -> None:
    counts = Adc(scale=scale, offset_counts=offset).counts(y).tolist()
    for value, count in zip(y, counts, strict=True):
        # Beyond 2^20 counts the quotient may not be a finite float; it is saturated long before.
        steps = value / scale if abs(value) < 2**20 * scale else math.copysign(2**20, value)
        assert count == min(max(round(steps) + offset, -32768), 32767)


def test_a_manifest_knows_itself(bundle_path, tmp_path) -> None:
    raw = json.loads((bundle_path / "manifest.json").read_text())
    raw["checksum"] = manifest_checksum(raw)
    shutil.copytree(bundle_path, tmp_path / "b")
    file = tmp_path / "b" / "manifest.json"
    for indent in (None, 3):
        file.write_text(json.dumps(dict(reversed(raw.items())), indent=indent))
        assert read_bundle(tmp_path / "b").manifest.checksum == raw["checksum"]
    for change in ({"nmse": {**raw["nmse"], "frames": 1}}, {"checksum": "0" * 64}, {"rate_bits": 0.25}):
        file.write_text(json.dumps({**raw, **change}))
        with pytest.raises(QcsError, match=r"manifest\.json does not match its own checksum: it was changed; run"):
            read_bundle(tmp_path / "b")
    del raw["checksum"]
    file.write_text(json.dumps(raw))
    assert read_bundle(tmp_path / "b").manifest.checksum is None


@pytest.fixture(scope="module", params=BUNDLES)
def codec(request, tmp_path_factory):
    return BUNDLES[request.param](tmp_path_factory.mktemp("each") / "bundle")


def with_the_id_of(bundle: Bundle, tables: dict[str, np.ndarray]) -> Bundle:
    """The bundle with other tables, and the model id that these have."""
    content = {name: bundle.read(name) for name in bundle.manifest.files} | {"tables.npz": npz_bytes(tables)}
    other = replace(bundle, content=content)
    try:
        load_codec(other)
    except QcsError as error:
        found = re.search(r"tables\.npz is of model ([0-9a-f]{16})", str(error))
        if found:
            return replace(other, manifest=bundle.manifest.model_copy(update={"model_id": found.group(1)}))
    return other


FAULTS = {
    "missing": lambda array: None,
    "another type": lambda array: array.astype(np.float32),
    "a wider type": lambda array: array.astype({1: np.int16, 2: np.int32, 4: np.int64, 8: np.uint64}[array.itemsize]),
    "one row less": lambda array: array[:-1] if array.ndim else array[None],
    "one column more": lambda array: np.concatenate([array.T, array.T[:1]]).T if array.ndim else array.reshape(1, 1),
    "one dimension more": lambda array: array[None],
    "nothing in it": lambda array: array[:0] if array.ndim else np.zeros(0, array.dtype),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_array_of_another_type_or_size_is_named(codec, fault: str) -> None:
    """As if someone had made the model id fit as well."""
    bundle = codec.bundle
    for name, array in bundle.arrays.items():
        number, other_model = array.ndim == 0, (name, fault) == ("hidden0_activation", "nothing in it")
        if (number and fault == "a wider type") or (other_model and codec.name == "int16"):
            continue
        changed = FAULTS[fault](array)
        rest = {key: value for key, value in bundle.arrays.items() if key != name}
        other = with_the_id_of(bundle, rest if changed is None else {**rest, name: changed})
        with pytest.raises(QcsError, match=r"tables\.npz.*run 'qcskit export' again$") as caught:
            load_codec(other)
        assert "\n" not in str(caught.value)
        # Weights of other widths may fit each other, and contradict the manifest or the thresholds.
        assert name in str(caught.value) or name.endswith("weights")


def test_thresholds_that_descend_are_refused(codec) -> None:
    thresholds = codec.bundle.arrays["thresholds"].copy()
    row = thresholds if thresholds.ndim == 1 else thresholds[-1]
    row[:] = row[::-1].copy()
    with pytest.raises(QcsError, match=r"tables\.npz.*thresholds.*run 'qcskit export' again"):
        load_codec(with_the_id_of(codec.bundle, {**codec.bundle.arrays, "thresholds": thresholds}))


def test_large_measurements_saturate_and_keep_their_sign(codec) -> None:
    """Measurements, counts, packets: beyond full scale nothing changes, in Python and in C."""
    adc, m = codec.bundle.manifest.adc, codec.inputs
    full = {1: 32767, -1: -32768}
    host = HostCodec(build_host_library(c_directory(codec.checked_c_files())), f"qcs_{codec.name}_codec")
    for sign, count in full.items():
        steps = np.array([count - adc.offset_counts, *(sign * np.array([4e4, 7e4, 2.0**31, 2.0**63, 1e300]))])
        y = np.repeat(steps[:, None] * adc.scale, m, axis=1)
        assert (codec.counts(y) == count).all()
        packets = set(codec.encode(y))
        assert packets == {codec.encode_counts(np.full((1, m), count, np.int16))[0]}
        assert packets == {host.encode(np.full((1, m), count, np.int16)).rows[0].tobytes()}


def test_network_inputs_rise_with_the_counts_up_to_both_ends(codec) -> None:
    if not codec.takes_inputs:
        return
    every = np.arange(-32768, 32768).astype(np.int16)
    host = HostCodec(build_host_library(c_directory(codec.checked_c_files())), f"qcs_{codec.name}_codec")
    for inputs in (codec.network_input(every), host.network_input(every)):
        assert (np.diff(inputs.astype(int)) >= 0).all()
        assert inputs[[0, -1]].tolist() == [-128, 127]
        assert (inputs == -128).sum() > 1000 < (inputs == 127).sum()
