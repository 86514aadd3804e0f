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
from support import hostile_bundles
from support.bundles import BUNDLES, drifting_counts, pairs_bundle, range_bundle, recorded_bundle, sampled_bundle
from support.hostile import odd_files

from qcskit.codec.arrays import npz_bytes
from qcskit.codec.bundle import Adc, Bundle, NmseFacts, read_bundle
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.files import manifest_checksum, sha256
from qcskit.codec.interface import Packets
from qcskit.codec.signal import measurement_matrix, read_source
from qcskit.firmware import HostCodec, build_host_library, c_directory
from qcskit.firmware_sim import SimulateConfig, simulate


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


def seal(path, change=lambda manifest: None, **files: bytes) -> None:
    """Change the manifest, add or change files by name (c__a.c: c/a.c), and make every hash fit."""
    manifest = json.loads((path / "manifest.json").read_text())
    for name, content in files.items():
        name = name.replace("__", "/")
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_bytes(content)
        manifest["files"][name] = sha256(content)
    change(manifest)
    manifest["checksum"] = manifest_checksum(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def refused(call, message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_bundle_reads_back(bundle_path) -> None:
    bundle = read_bundle(bundle_path)
    assert bundle.manifest.schema_version == 3
    assert {
        "tables.npz",
        "signal.npz",
        "vectors.npz",
        "c/qcs_model_small.c",
        "c/qcs_model_small.h",
    } <= bundle.manifest.files.keys()
    assert bundle.signal.m == bundle.manifest.inputs
    assert bundle.has("tables.npz")
    assert not bundle.has("nothing")
    with pytest.raises(QcsError, match="holds no nothing; run 'qcskit export' again"):
        bundle.read("nothing")
    assert open_codec(str(bundle_path)).name == "small"


def test_what_was_not_measured_is_told_so_and_0_db_is_a_figure() -> None:
    told = {None: "NMSE not measured", 0.0: "NMSE 0.00 dB", -12.346: "NMSE -12.35 dB"}
    assert {figure: NmseFacts(frames=1, deployed_db=figure).words for figure in told} == told


def test_what_is_no_bundle(tmp_path) -> None:
    with pytest.raises(QcsError, match="does not exist; write one with 'qcskit export' or 'qcskit design'"):
        read_bundle(tmp_path / "no")
    with pytest.raises(QcsError, match=r"has no manifest\.json: this is not a bundle"):
        read_bundle(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(QcsError, match=r"manifest\.json is not valid JSON"):
        read_bundle(tmp_path)
    (tmp_path / "manifest.json").write_text("[1]")
    with pytest.raises(QcsError, match="schema version None, this qcskit reads 3"):
        read_bundle(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema version 2, this qcskit reads 3; run 'qcskit export' again"),
        ({"name": "9bad"}, "manifest.json: name: String should match pattern"),
        ({"packed_bytes_max": 0}, "manifest.json: packed_bytes_max"),
        ({"extra": 1}, "manifest.json: extra"),
        ({"codec__kind": "leraned"}, "codec: there is no codec kind 'leraned'; did you mean 'learned'"),
        ({"codec__kind": {}}, "codec: there is no codec kind '{}'"),
        ({"codec": {"kind": "learned"}}, "manifest.json: codec"),
        ({"codec": 5}, "manifest.json: codec"),
        ({"adc__units_per_count": "x"}, r"manifest.json: adc\.units_per_count"),
        ({"adc__bits": 17}, r"manifest.json: adc\.bits"),
        ({"signal__scale": 0}, r"manifest.json: signal\.scale"),
        ({"signal__offset": "NaN"}, r"manifest.json: signal\.offset"),
    ],
)
def test_a_manifest_that_is_wrong(path, changes, message) -> None:
    edit(path, **changes)
    with pytest.raises(QcsError, match=message) as caught:
        read_bundle(path)
    assert "\n" not in str(caught.value)
    assert re.search(r"(run 'qcskit export' again|write the bundle again)$", str(caught.value))


def test_files_that_are_missing_or_changed(path) -> None:
    content = (path / "decoder.tflite").read_bytes()
    (path / "decoder.tflite").write_bytes(content[:-1] + b"\0\0")
    with pytest.raises(QcsError, match=r"decoder\.tflite does not match manifest.json \(sha256 differs\)"):
        read_bundle(path)
    (path / "decoder.tflite").unlink()
    with pytest.raises(QcsError, match=r"decoder\.tflite is missing"):
        read_bundle(path)


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "c\\a.c", "c/../../x", "", ".", "c/", "c//a.c", ".hidden", "manifest.json", "C:x", "a\nb"],
)
def test_a_name_that_is_none_of_a_file_in_a_bundle(path, name: str) -> None:
    seal(path, lambda manifest: manifest["files"].update({name: "0" * 64}))
    refused(lambda: read_bundle(path), "manifest.json: files lists .*, which is no name of a file in a bundle")


@pytest.mark.parametrize("missing", ["tables.npz", "vectors.npz", "c/qcs_model_small.h", "c/qcs_model_small.c"])
def test_what_every_bundle_has_must_be_listed(path, missing: str) -> None:
    seal(path, lambda manifest: manifest["files"].pop(missing))
    refused(lambda: read_bundle(path), f"manifest.json lists no {re.escape(missing)}; run 'qcskit export' again$")


def test_a_manifest_that_lists_nothing_makes_nothing_true(path) -> None:
    seal(path, lambda manifest: manifest.update(files={}))
    refused(lambda: read_bundle(path), r"manifest.json lists no tables\.npz")


@pytest.mark.parametrize("name", ["c/zz.c", "tables.npz~", ".DS_Store", "more/deep.txt", "c/a\nb.h"])
def test_a_file_that_is_not_listed_is_named(path, name: str) -> None:
    (path / "empty").mkdir()
    read_bundle(path)
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).touch()
    refused(lambda: read_bundle(path), f"holds {re.escape(repr(name))}, which its manifest.json does not list; move it")


def test_a_folder_that_is_a_link_is_not_listed(path, tmp_path) -> None:
    (path / "more").symlink_to(tmp_path)
    refused(lambda: read_bundle(path), "holds 'more', which its manifest.json does not list")


def test_a_listed_file_that_is_no_file_is_named(path) -> None:
    (path / "decoder.tflite").unlink()
    (path / "decoder.tflite").mkdir()
    refused(lambda: read_bundle(path), r"decoder\.tflite' is not a regular file; run 'qcskit export' again$")


def test_a_link_must_stay_in_the_bundle(path, tmp_path) -> None:
    own, outside = path / "c" / "qcs_model_small.c", tmp_path / "outside.c"
    own.rename(outside)
    own.symlink_to(outside)
    refused(lambda: read_bundle(path), r"c/qcs_model_small\.c is a link that leaves the bundle")
    seal(path, c__kept=outside.read_bytes())
    own.unlink()
    own.symlink_to(path / "c" / "kept")
    assert read_bundle(path).read("c/qcs_model_small.c") == outside.read_bytes()


def test_odd_things_in_place_of_a_file(path, tmp_path) -> None:
    (tmp_path / "odd").mkdir()
    for name in ("manifest.json", "tables.npz"):
        (path / name).rename(tmp_path / "kept")
        for _, odd in odd_files(tmp_path / "odd"):
            if "\0" in str(odd):
                continue
            if not odd.is_symlink() and odd.is_file():
                shutil.copyfile(odd, path / name) if odd.stat().st_size < 1 << 20 else (path / name).symlink_to(odd)
            else:
                (path / name).symlink_to(odd)
            refused(lambda: read_bundle(path), rf"^bundle '.*{re.escape(name)}.*again$")
            (path / name).unlink()
        shutil.rmtree(tmp_path / "odd")
        (tmp_path / "odd").mkdir()
        (tmp_path / "kept").rename(path / name)
    read_bundle(path)


def test_a_bundle_larger_than_the_memory_is_not_read(path, monkeypatch) -> None:
    seal(path, big=bytes(1 << 20))
    read_bundle(path)
    monkeypatch.setattr("qcskit.codec.bundle.MOST_BYTES", 1 << 20)
    refused(lambda: read_bundle(path), "its files are larger than 1,048,576 bytes")


def test_what_was_hashed_is_what_is_used(path) -> None:
    bundle = read_bundle(path)
    before = (path / "tables.npz").read_bytes()
    (path / "tables.npz").write_bytes(b"another")
    assert bundle.read("tables.npz") == before
    load_codec(bundle)


def test_c_that_the_codec_does_not_have_is_not_for_compiling(path) -> None:
    seal(path, **{"c__zz.c": b"int zz;"})
    with pytest.raises(CheckFailedError, match=r"c/zz\.c is nothing that this codec has; run 'qcskit export' again"):
        open_codec(path).checked_c_files()


def test_arrays_that_are_no_npz(bundle_path) -> None:
    bundle = replace(read_bundle(bundle_path), content={"tables.npz": b"PK nonsense", "vectors.npz": b""})
    for name in ("arrays", "vectors"):
        with pytest.raises(QcsError, match=r"\.npz is not a readable \.npz file"):
            getattr(bundle, name)


def test_an_ideal_converter() -> None:
    adc = Adc(units_per_count=0.5, offset_counts=10)
    counts = adc.counts([[-1.0, 0.0, 0.25, 0.75, 1e9, -1e9]])
    assert counts.tolist() == [[8, 10, 10, 12, 32767, -32768]]  # ties to even, then saturation
    assert counts.dtype == np.int16
    with pytest.raises(QcsError, match="measurement frame 2 holds NaN or infinity"):
        adc.counts([0, 1, np.nan])


@settings(deadline=None)
@given(
    st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=20), st.floats(1e-6, 1e3), st.integers(-32768, 32767),
    st.sampled_from([(16, True, -32768, 32767), (12, True, -2048, 2047), (8, False, 0, 255), (15, False, 0, 32767)]),
)  # fmt: skip
def test_a_converter_saturates_at_its_own_ends(
    y: list[float], step: float, offset: int, kind: tuple[int, bool, int, int]
) -> None:
    bits, signed, low, high = kind
    counts = Adc(bits=bits, signed=signed, units_per_count=step, offset_counts=offset).counts(y).tolist()
    for value, count in zip(y, counts, strict=True):
        # Beyond 2^20 counts the quotient may not be a finite float; it is saturated long before.
        steps = value / step if abs(value) < 2**20 * step else math.copysign(2**20, value)
        assert count == min(max(round(steps) + offset, low), high)


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


def test_no_codec_encodes_what_is_no_number(codec):
    for bad in (np.nan, np.inf, -np.inf):
        y = np.zeros((3, codec.inputs))
        y[2, -1] = bad
        with pytest.raises(QcsError, match=r"^measurement frame 2 holds NaN or infinity$"):
            codec.encode(y)
        with pytest.raises(QcsError, match=r"^counts are float64 of shape .*, expected int16"):
            codec.encode_counts(y)
    with pytest.raises(QcsError, match=rf"^{2 * codec.inputs + 1} bytes of counts are no whole packets of "):
        codec.encode_counts(bytes(2 * codec.inputs + 1))


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
        if (number and fault == "a wider type") or (other_model and codec.name in ("int16", "identity")):
            continue
        if (name, fault) == ("index_points", "one column more"):  # any number; the last one tells the rest
            continue
        changed = FAULTS[fault](array)
        rest = {key: value for key, value in bundle.arrays.items() if key != name}
        other = with_the_id_of(bundle, rest if changed is None else {**rest, name: changed})
        with pytest.raises(QcsError, match=r"tables\.npz.*run 'qcskit (export|design)' again$") as caught:
            load_codec(other)
        assert "\n" not in str(caught.value)
        # Weights of other widths may fit each other, and contradict the manifest or the thresholds; points, thresholds;
        # and without symbols the code is another one.
        others = {("sparse", "thresholds"), ("sparse_range", "symbols")}
        assert name in str(caught.value) or name.endswith("weights") or (codec.name, name) in others


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda arrays: {"index_points": arrays["index_points"][:, :1]},
            "index_points: they end before the magnitude 1",
        ),
        (lambda arrays: {"points": np.zeros(4)}, "it holds points beside them"),
    ],
)
def test_points_of_a_range_code_reach_beyond_1_and_nothing_is_beside_them(tmp_path, change, message: str) -> None:
    bundle = range_bundle(tmp_path / "b").bundle
    with pytest.raises(QcsError, match=rf"tables\.npz does not go with manifest\.json: .*{message}"):
        load_codec(with_the_id_of(bundle, {**bundle.arrays, **change(bundle.arrays)}))


def test_thresholds_that_descend_are_refused(codec) -> None:
    if "thresholds" not in codec.bundle.arrays:
        return
    thresholds = codec.bundle.arrays["thresholds"].copy()
    row = thresholds if thresholds.ndim == 1 else thresholds[-1]
    row[:] = row[::-1].copy()
    with pytest.raises(QcsError, match=r"tables\.npz.*thresholds.*run 'qcskit (export|design)' again"):
        load_codec(with_the_id_of(codec.bundle, {**codec.bundle.arrays, "thresholds": thresholds}))


def test_large_measurements_saturate_and_keep_their_sign(codec) -> None:
    """Measurements, counts, packets: beyond full scale nothing changes, in Python and in C."""
    adc, m = codec.bundle.manifest.adc, codec.inputs
    full = {1: adc.high, -1: adc.low}
    host = HostCodec(build_host_library(c_directory(codec.checked_c_files())), f"qcs_{codec.name}_codec")
    for sign, count in full.items():
        steps = np.array([count - adc.offset_counts, *(sign * np.array([4e4, 7e4, 2.0**31, 2.0**63, 1e300]))])
        y = np.repeat(steps[:, None] * adc.units_per_count, m, axis=1)
        assert (codec.counts(y) == count).all()
        packets = set(codec.encode(y))
        assert packets == {codec.encode_counts(np.full((1, m), count, np.int16))[0]}
        assert packets == {*Packets.rows(*host.encode(np.full((1, m), count, np.int16)))}


def test_network_inputs_rise_with_the_counts_up_to_both_ends(codec) -> None:
    if not codec.takes_inputs:
        return
    every = np.repeat(np.arange(-32768, 32768).astype(np.int16)[:, None], codec.inputs, axis=1)
    host = HostCodec(build_host_library(c_directory(codec.checked_c_files())), f"qcs_{codec.name}_codec")
    for inputs in (codec.network_input(every), host.network_input(every)):
        assert (np.diff(inputs.astype(int), axis=0) >= 0).all()
        assert (inputs[0].min(), inputs[0].max() <= -127) == (-128, True)
        assert (inputs[-1] == 127).all()
        assert (inputs == -128).any(axis=1).sum() > 1000 < (inputs == 127).any(axis=1).sum()


@pytest.fixture(scope="module")
def made(tmp_path_factory, bundle_path):
    """Return a function: a fresh copy of a small bundle, by name."""
    kept = {"small": bundle_path}

    def copy(name: str):
        if name not in kept:
            kept[name] = BUNDLES[name](tmp_path_factory.mktemp("kept") / name).bundle.path
        return shutil.copytree(kept[name], tmp_path_factory.mktemp("copy") / "b")

    return copy


def scaled(manifest) -> None:
    """ADC, ranges and input grid together: the front end of the tables stays the same."""
    manifest["adc"]["units_per_count"] *= 2.0**20
    manifest["codec"]["input_grid"]["scale"] *= 2.0**20
    manifest["codec"]["input_ranges"] = [2.0**20 * own for own in manifest["codec"]["input_ranges"]]


def put(**changes):
    """Return the edit of a manifest that sets keys: codec__levels=9."""

    def change(manifest) -> None:
        for key, value in changes.items():
            *outer, last = key.split("__")
            place = manifest
            for word in outer:
                place = place[word]
            place[last] = value(place[last]) if callable(value) else value

    return change


def moved(by: float):
    return lambda values: [value + by for value in values]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("small", scaled, r"manifest.json: codec.input_grid is .*, encoder.tflite gives"),
        ("small", put(codec__input_grid__zero_point=1), r"codec\.input_grid and .* do not give the front end"),
        ("small", put(codec__input_grid__scale=0), r"codec\.input_grid\.scale: Input should be greater than 0"),
        ("small", put(codec__activation="relu"), "codec.activation is relu, encoder.tflite gives tanh"),
        ("small", put(codec__packed_bits=31), "codec.packed_bits is 31, tables.npz gives 30"),
        ("small", put(rate_bits=1.75), "rate_bits is 1.75, tables.npz gives 1.5"),
        ("small", put(rate_bits=0), "rate_bits: 0.0 is impossible"),
        ("small", put(adc__units_per_count=1e9), "manifest.json: an ADC count .* check the ADC scale"),
        ("small", put(signal__m=9), "signal.m is 9, tables.npz gives 10"),
        ("small", put(signal__n=24, rate_bits=1.25), r"decoder.tflite: its output is FLOAT32 \(1, 20\), expected .*24"),
        ("small", put(codec__quantizer_levels=moved(0.1)), "decoder.tflite: its table is not codec.quantizer_levels"),
        ("small", put(codec__quantizer_levels=lambda v: v[1:]), "number of codec.quantizer_levels is 7"),
        (
            "small",
            put(codec__thresholds=moved(0.05)),
            r"codec.thresholds\[0\] of manifest.json, .*, is not where output",
        ),
        ("small", put(codec__thresholds=moved(-0.05)), r"codec.thresholds\[\d\] of manifest.json"),
        ("small", put(codec__history={"step": [1.0]}), "codec.history needs equally long step"),
        ("small", put(codec__history__step=lambda v: v[1:]), "codec.history needs equally long step, .*; step "),
        ("native", put(codec__thresholds=moved(0.01)), r"codec.thresholds\[0\] of manifest.json"),
        ("int16", put(codec__thresholds=moved(0.001)), r"codec.thresholds\[0\] of manifest.json"),
        ("int16", put(adc__units_per_count=lambda v: 2 * v), "input_ranges of manifest.json do not give the front end"),
        ("coded", put(adc__bits=8), "the adc of manifest.json does not make its 'counts' of its 'y'"),
        ("coded", put(signal__n=61), "signal.n is 61, codec of manifest.json gives 60"),
        ("coded", put(signal__s=3), "signal.s is 3, codec of manifest.json gives 2; run 'qcskit design' again"),
        ("coded", put(adc__units_per_count=0.5), "adc.units_per_count is 0.5, codec of manifest.json gives"),
        ("coded", put(codec__packed_bits=1), "codec.packed_bits is 1, tables.npz gives 32"),
        ("coded", put(codec__r=10**9), r"manifest.json: codec\.r: Input should be less than or equal to 16"),
        ("coded", put(codec__design_snr_db=-1e3), "codec.design_snr_db: Input should be greater"),
        ("coded", put(codec__period_bits=40), "codec.period_bits"),
        ("coded", put(codec__gamma=0), r"manifest\.json: codec\.gamma: Input should be greater than or equal to 1"),
        ("coded", put(adc__offset_counts=5), "tables.npz and manifest.json differ in the sawtooth"),
        (
            "coded",
            put(signal__n=60000, codec__n=60000, signal__m=4096, codec__m=4096, inputs=4096, rate_bits=0.1),
            r"manifest.json: a code of 4,096 x 60,000 entries is more than this qcskit makes; run 'qcskit design'",
        ),
        ("coded", put(codec__lists=[0]), "lists: 0 is not a list size"),
        ("coded", put(signal__n=60000, codec__n=60000, rate_bits=0.1), "vectors.npz|make a code|rate_bits|model"),
        ("classical", put(signal__s=3), "signal.s is 3, vectors.npz gives 2"),
        (
            "classical",
            put(signal__matrix="gaussian"),
            "signal.npz: phi is not the 'gaussian' of manifest.json",
        ),
        ("classical", put(signal__basis="dct"), "signal.basis 'dct' do not give the dictionary of tables.npz"),
        ("classical", put(signal__matrix="no"), "manifest.json: signal.matrix: Input should be 'dct'"),
        ("classical", put(signal__matrix="none"), "signal.source = 'pairs' and matrix = 'none' go together"),
        ("classical", put(codec__packed_bits=1), "codec.packed_bits is 1, tables.npz gives 30"),
        ("classical", put(adc__offset_counts=2**31), r"adc\.offset_counts: Input should be less"),
        ("classical", put(adc__units_per_count=0.0), "units_per_count"),
        ("classical", put(signal__n=0), "signal"),
    ],
)
def test_whatever_is_said_twice_must_agree(made, name: str, change, message: str) -> None:
    """As if someone had made every hash fit."""
    path = made(name)
    open_codec(path)
    seal(path, change)
    refused(lambda: open_codec(path), message)


MUTATED = [
    (name, file) for name in ("int8", "coded", "classical") for file in ("manifest.json", "tables.npz", "vectors.npz")
]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        *MUTATED,
        ("recorded", "signal.npz"),
        ("recorded", "tables.npz"),
        ("int8", "c/qcs_model_random.c"),
        ("int8", "c/qcs_model_random.h"),
    ],
)
def test_a_damaged_file_is_refused_or_changes_nothing(made, name: str, file: str) -> None:
    """With forged hashes: no traceback, no other result, one line."""
    path = made(name)
    codec = open_codec(path)
    packets, file = hostile_bundles.golden(codec), f"c/qcs_model_{codec.name}.c" if file == "c" else file
    expected, ends = hostile_bundles.worth(path, packets), []
    for what, content in hostile_bundles.mutants(path, file, 3, 50):
        try:
            ends.append(hostile_bundles.attempt(path, file, content, expected, packets))
        except Exception as error:
            raise AssertionError(f"{file}: {what}") from error
    assert len(ends) == 50
    assert ends.count("refused") >= 20


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("file", ["decoder.tflite", "encoder.tflite"])
def test_a_damaged_flatbuffer_kills_nobody(made, file: str, seed: int) -> None:
    path = made("small")
    packets = hostile_bundles.golden(open_codec(path))
    expected = hostile_bundles.worth(path, packets)
    for what, content in hostile_bundles.mutants(path, file, seed, 10):
        try:
            hostile_bundles.attempt(path, file, content, expected, packets)
        except Exception as error:
            raise AssertionError(f"{file}: {what}") from error


# ---- signal.npz: what a bundle takes along of its source ----


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A bundle of a recording whose file is gone: analog front end, windows."""
    return BUNDLES["recorded"](tmp_path_factory.mktemp("recorded") / "b")


def with_source(codec, **arrays) -> Bundle:
    """The bundle with other arrays in signal.npz, None: left out."""
    source = {**codec.bundle.read_arrays("signal.npz"), **arrays}
    content = npz_bytes({name: array for name, array in source.items() if array is not None})
    return replace(codec.bundle, content={**codec.bundle.content, "signal.npz": content})


def test_a_bundle_holds_its_source(kept) -> None:
    sensor, config = kept.sensor, kept.bundle.signal
    assert np.array_equal(sensor.phi, measurement_matrix(config))
    assert sensor.windows.shape == (40, 12)
    assert np.array_equal(sensor.windows, np.rint(sensor.windows))  # what the recording held: counts
    assert config.source == "recorded"
    x, _ = kept.draw(300, 1)
    assert {tuple(row) for row in x} == {tuple(row) for row in sensor.windows}
    with pytest.raises(QcsError, match="does not exist"):
        read_source(config)  # nobody reads it again


@pytest.mark.parametrize("name", ["recorded", "identity", "sampled"])
def test_without_windows_a_bundle_draws_noise_of_its_scale(name: str, tmp_path) -> None:
    """As `export.test_windows = 0` leaves them out: a recording may be a person's."""
    write = {"sampled": sampled_bundle, "recorded": recorded_bundle}.get(name, recorded_bundle)
    keys = {"n": 7, "m": 7, "matrix": "identity", "profile": "tflm16"} if name == "identity" else {}
    codec = write(tmp_path / "b", windows=0, **keys)
    signal = codec.bundle.manifest.signal
    assert codec.sensor.windows.shape == (0, signal.n)
    x, _ = codec.draw(2000, 1)
    assert x.mean() == pytest.approx(signal.offset, abs=signal.scale / 10)
    assert x.std() == pytest.approx(signal.scale, rel=0.05)
    windows = np.lib.stride_tricks.sliding_window_view(drifting_counts().astype(float), signal.n)
    assert not {tuple(row) for row in codec.bundle.vectors["x"]} & {tuple(row) for row in windows}
    verdict = simulate(codec.bundle, SimulateConfig(vectors=200, oracle_vectors=50))
    assert verdict.passed


@pytest.mark.parametrize("name", ["recorded", "identity"])
def test_simulate_needs_no_recording(made, name: str) -> None:
    verdict = simulate(open_codec(made(name)).bundle, SimulateConfig(vectors=300, oracle_vectors=50))
    assert verdict.passed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"phi": lambda phi: phi + 1e-6}, "phi is not the 'dct' of manifest.json"),
        ({"phi": lambda phi: phi[::-1].copy()}, "phi is not the 'dct' of manifest.json"),
        ({"phi": lambda phi: phi.T.copy()}, r"array 'phi' is float64 \(12, 6\), expected float64 \(6, 12\)"),
        ({"phi": lambda phi: phi.astype(np.float32)}, "array 'phi' is float32"),
        ({"phi": lambda phi: np.where(phi == phi[0, 0], np.nan, phi)}, "array 'phi' holds NaN or infinity"),
        ({"phi": lambda phi: None}, "there is no array 'phi'"),
        ({"windows": lambda x: x[:, :-1].copy()}, r"array 'windows' is float64 \(40, 11\)"),
        ({"windows": lambda x: np.where(x == x[0, 0], np.inf, x)}, "array 'windows' holds NaN or infinity"),
        ({"windows": lambda x: None}, "there is no array 'windows'"),
    ],
)
def test_a_source_that_is_another_one_is_refused(kept, change, told: str) -> None:
    own = kept.bundle.read_arrays("signal.npz")
    wrong = with_source(kept, **{name: edit(own[name]) for name, edit in change.items()})
    refused(lambda: load_codec(wrong), rf"signal\.npz: .*{told}.*; run 'qcskit export' again$")


@pytest.fixture(scope="module")
def paired(tmp_path_factory):
    """A bundle of pairs of which nobody knows how y comes of x."""
    return pairs_bundle(tmp_path_factory.mktemp("pairs") / "b")


def test_pairs_are_drawn_together_in_their_units(paired) -> None:
    x, y = paired.draw(500, 1)
    np.testing.assert_allclose(y, 0.03 + 0.002 * (x[:, :6] - 100) / 5)
    assert len({tuple(row) for row in x}) == 40 == paired.source_windows
    assert (
        abs(
            paired.centre
            - (paired.bundle.manifest.adc.offset_counts + 0.03 / paired.bundle.manifest.adc.units_per_count)
        )
        <= 1
    )
    assert paired.bundle.manifest.signal.y_units([[0.0, 1.0]]).tolist() == [[0.03, 0.032]]


def test_pairs_without_x_say_so(tmp_path) -> None:
    codec = pairs_bundle(tmp_path / "b", x_known=False)
    x, y = codec.draw(50, 1)
    assert codec.source_windows == 0
    assert not x.any()
    assert y.mean() == pytest.approx(0.03, abs=0.001)
    bare = pairs_bundle(tmp_path / "c", pairs=0)
    _, y = bare.draw(2000, 1)
    assert (y.mean(), y.std()) == (pytest.approx(0.03, abs=1e-4), pytest.approx(0.002, rel=0.05))
    assert simulate(bare.bundle, SimulateConfig(vectors=200, oracle_vectors=50)).passed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"measured": lambda y: None}, "there is no array 'measured'"),
        ({"measured": lambda y: y[:-1].copy()}, "it holds 40 windows of x and 39 of y"),
        ({"measured": lambda y: y[:, :-1].copy()}, r"array 'measured' is float64 \(40, 5\)"),
        ({"measured": lambda y: np.where(y == y[0, 0], np.nan, y)}, "array 'measured' holds NaN"),
        ({"phi": lambda phi: np.eye(6, 9)}, r"array 'phi' is float64 \(6, 9\), expected float64 \(0, 9\)"),
    ],
)
def test_pairs_that_are_none_are_refused(paired, change, told: str) -> None:
    own = paired.bundle.read_arrays("signal.npz")
    wrong = with_source(paired, **{name: edit(own[name]) for name, edit in change.items()})
    refused(lambda: load_codec(wrong), rf"signal\.npz: .*{told}.*; run 'qcskit export' again$")


def test_a_source_that_is_no_npz_is_refused(kept) -> None:
    wrong = replace(kept.bundle, content={**kept.bundle.content, "signal.npz": b"PK nonsense"})
    refused(lambda: load_codec(wrong), r"signal\.npz is not a readable \.npz file .*; run 'qcskit export' again$")


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("recorded", put(signal__scale=lambda v: 2 * v), "input_grid contradict each other"),
        ("identity", put(signal__offset=lambda v: v + 3), "do not give the front end of tables.npz"),
        ("recorded", put(codec__input_ranges=lambda v: v[::-1]), "do not give the front end of tables.npz"),
        ("recorded", put(codec__input_ranges=lambda v: v[:2]), "codec.input_ranges holds 2, expected 1 or 6"),
        ("recorded", put(signal__matrix="gaussian"), "phi is not the 'gaussian' of manifest.json"),
        ("recorded", put(signal__basis=5), r"manifest.json: signal\.basis: "),
        ("recorded", put(signal__more=5), r"manifest.json: signal\.more: is no key of this version"),
        ("recorded", put(adc__unit="x\n"), r"manifest.json: adc\.unit: "),
    ],
)
def test_what_a_recorded_bundle_says_twice_must_agree(made, name: str, change, told: str) -> None:
    path = made(name)
    open_codec(path)
    seal(path, change)
    refused(lambda: open_codec(path), told)


def test_a_decoder_that_is_wrong_hides_behind_no_large_number(tmp_path) -> None:
    """One x_hat at the end of float32 does not make the rest of the comparison vanish."""
    codec = sampled_bundle(tmp_path / "b")
    x_hat = codec.bundle.vectors["x_hat"].copy()
    x_hat[0, 0] = np.finfo(np.float32).max
    vectors = npz_bytes({**codec.bundle.vectors, "x_hat": x_hat})
    other = load_codec(replace(codec.bundle, content={**codec.bundle.content, "vectors.npz": vectors}))
    with pytest.raises(QcsError, match=r"its decoder does not make the x_hat of vectors\.npz"):
        other.decode(other.encode_counts(other.bundle.vectors["counts"]))
