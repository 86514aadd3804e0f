"""What every codec of the registry must do, whatever its family: one test over a small bundle of each."""

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support import toy
from support.bundles import BUNDLES, bounded_bundle, lossless_bundle, pairs_bundle, plane_bundle, sampled_bundle
from support.python_int8 import python_requantize

from qcskit.codec import codecs
from qcskit.codec.arrays import npz_bytes
from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.interface import Codec, Counts, Packets
from qcskit.codec.metrics import nmse_db
from qcskit.codec.stream import DecodeConfig, decode_packets, read_packets, varint
from qcskit.export.packages import example_counts, package_files, write_package
from qcskit.firmware import HostCodec, build_host_library, c_directory, sources
from qcskit.firmware_sim import SimulateConfig, simulate

WRITERS: dict[str, Callable[[Path], Codec]] = {
    **BUNDLES,
    "pairs": pairs_bundle,
    "sampled": sampled_bundle,
    "bounded": bounded_bundle,
    "lossless": lossless_bundle,
    "plane": plane_bundle,
    "toy": toy.toy_bundle,
}


@pytest.fixture(scope="module", autouse=True)
def _toy_family() -> Iterator[None]:
    with toy.registered():
        yield


@pytest.fixture(scope="module", params=[*WRITERS, "trained"])
def codec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bundle_path: Path) -> Codec:
    if request.param == "trained":
        return codecs.open_codec(bundle_path)
    return WRITERS[request.param](tmp_path_factory.mktemp(request.param) / "bundle")


@pytest.fixture(scope="module")
def sets(codec: Codec) -> dict[str, Counts]:
    """Golden, random and edge counts."""
    rng = np.random.default_rng(5)
    return {
        "golden": codec.bundle.vectors["counts"],
        "source": codec.counts(codec.draw(200, 9)[1]),
        "random": rng.integers(-32768, 32768, (200, codec.inputs)).astype(np.int16),
        "edges": codec.edges(200, rng),
    }


def golden(codec: Codec) -> Packets:
    vectors = codec.bundle.vectors
    return Packets(vectors["packed"], vectors["packed_offsets"])


def equal(a: Packets, b: Packets) -> bool:
    return len(a) == len(b) and not a.differ(b).any()


def test_every_family_of_the_registry_has_a_bundle_here(tmp_path: Path) -> None:
    names = ("int8", "coded", "classical", "transform", "sparse", "toy")
    kinds = {WRITERS[name](tmp_path / name).kind for name in names}
    assert kinds == {family.kind for family in codecs.families()}


def test_golden_packets_answer_golden_counts(codec: Codec) -> None:
    vectors = codec.bundle.vectors
    assert np.array_equal(codec.counts(vectors["y"]), vectors["counts"])
    assert equal(golden(codec), codec.encode_counts(vectors["counts"]))
    assert equal(golden(codec), codec.encode(vectors["y"]))
    assert vectors["x"].shape == (len(vectors["counts"]) * codec.windows, codec.width)
    assert (vectors["packed"].dtype, vectors["packed_offsets"].dtype) == (np.uint8, np.int64)
    assert ("x_hat" in vectors) == codec.decodes
    if codec.decodes:
        np.testing.assert_allclose(codec.decode(golden(codec)), vectors["x_hat"], atol=1e-6)
    assert ("input" in vectors) == codec.takes_inputs
    if codec.takes_inputs:
        assert np.array_equal(codec.network_input(vectors["counts"]), vectors["input"])
        answer = Packets(vectors["input_packed"], vectors["input_packed_offsets"])
        assert equal(answer, codec.encode_inputs(vectors["input"]))


def test_integers_equal_the_definition_and_the_c(codec: Codec, sets: dict[str, Counts]) -> None:
    host = HostCodec(build_host_library(c_directory(codec.checked_c_files())), f"qcs_{codec.name}_codec")
    stated = (host.model_id, host.inputs, host.windows, host.packed_bytes_max, host.kind)
    number = codecs.find_family(codec.kind).number
    assert stated == (
        codec.bundle.manifest.model_id,
        codec.inputs,
        codec.windows,
        codec.packed_bytes_max,
        number,
    )
    for name, counts in sets.items():
        packets = codec.encode_counts(counts)
        assert equal(packets, codec.definition(counts)), name
        assert equal(packets, Packets.rows(*host.encode(counts))), name
        assert all(equal(packets, o.encode(counts)) for o in codec.oracles() if o.role == "oracle"), name
        made = host.network_input(counts)
        assert (made is not None) == codec.takes_inputs
        assert made is None or np.array_equal(made, codec.network_input(counts))


def test_lengths_stay_in_bounds_and_a_packet_stands_alone(codec: Codec, sets: dict[str, Counts]) -> None:
    packets = Packets.join([codec.encode_counts(counts) for counts in sets.values()])
    assert 1 <= packets.lengths.min() <= packets.lengths.max() <= codec.packed_bytes_max
    assert codec.fixed_size == bool((packets.lengths == codec.packed_bytes_max).all())
    every = np.concatenate(list(sets.values()))
    for number in (0, len(every) // 2, len(every) - 1):
        assert codec.encode_counts(every[[number]])[0] == packets[number]
    assert len(codec.encode_counts(every[:0])) == 0
    if codec.decodes:
        chosen = np.arange(0, len(every), 40)  # some of each set
        x_hat = codec.decode(packets.select(chosen)).reshape(len(chosen), -1)
        alone = [codec.decode(Packets.of([packets[number]])).ravel() for number in chosen.tolist()]
        np.testing.assert_allclose(alone, x_hat, rtol=1e-9, atol=1e-9)


def test_shapes_of_draw_edges_and_decode(codec: Codec) -> None:
    x, y = codec.draw(7, 3)
    assert x.shape == (7 * codec.windows, codec.width)
    assert y.shape == (7, codec.inputs)
    again = codec.draw(7, 3)[1]
    assert np.array_equal(y, again)
    assert not np.array_equal(y, codec.draw(7, 4)[1])
    edges = codec.edges(11, np.random.default_rng(0))
    assert (edges.shape, edges.dtype) == ((11, codec.inputs), np.int16)
    if codec.decodes:
        for count in (7, 0):
            x_hat = codec.decode(codec.encode(y[:count]))
            assert (x_hat.shape, x_hat.dtype) == ((count * codec.windows, codec.width), np.float64)
    else:
        with pytest.raises(QcsError, match="encodes only: it holds no decoder"):
            codec.decode(codec.encode(y))


EVERY = np.arange(-32768, 32768)
"""Every count."""


def each_count(codec: Codec) -> NDArray[np.int16]:
    """Every count at every input, (65536, inputs)."""
    return np.repeat(EVERY[:, None].astype(np.int16), codec.inputs, axis=1)


def test_the_clipped_share_is_the_counted_one(codec: Codec, sets: dict[str, Counts]) -> None:
    """What lies at an end of the ADC, or beyond what the network input holds."""
    adc, front = codec.bundle.manifest.adc, codec.bundle.arrays.get("front_end")
    ends = (-128, 127) if codec.takes_inputs else (-32768, 32767)

    def clips(count: int, place: int) -> bool:
        if not adc.low < count < adc.high:
            return True
        if front is None:
            return False
        offset, multiplier, shift, zero = front[place % len(front)].tolist()
        return not ends[0] <= python_requantize(count - offset, multiplier, shift) + zero <= ends[1]

    low, high = codec.limits()
    beside = np.stack([low - 1, low, low + 1, high - 1, high, high + 1]).astype(np.int16)
    for name, counts in {"beside the limits": beside, **{name: counts[:60] for name, counts in sets.items()}}.items():
        expected = [[clips(count, place) for place, count in enumerate(row)] for row in counts.tolist()]
        assert codec.clipped(counts).tolist() == expected, name
    assert codec.clipped(sets["random"]).any()
    assert low.shape == high.shape == (codec.inputs,)
    assert np.array_equal(codec.clipped(each_count(codec)), (EVERY[:, None] < low) | (EVERY[:, None] > high))
    assert (low < high).all()


def test_network_inputs_stop_at_the_limits(codec: Codec) -> None:
    """Outside them nothing changes any more, inside both ends are reached step by step."""
    low, high = codec.limits()
    adc = codec.bundle.manifest.adc
    if not codec.takes_inputs:
        return
    inputs = codec.network_input(each_count(codec)).astype(int)
    for place, (least, most) in enumerate(zip(low, high, strict=True)):
        column = inputs[:, place]
        for limit, end, outwards in ((least, adc.low + 1, -1), (most, adc.high - 1, 1)):
            if limit == end:
                continue  # the ADC ends first
            beyond = column[limit + 32768 + outwards :: outwards]
            assert set(beyond.tolist()) == {127 * outwards - (outwards < 0)}
            within = column[limit + 32768 :: -outwards][:2000]
            assert len(set(within.tolist())) > 1


def test_x_in_units_goes_through_sense_and_decode(codec: Codec) -> None:
    """What is decoded is what was sensed, in units: offset and scale drop out of the NMSE about the offset."""
    signal = codec.bundle.manifest.signal
    x, y = codec.draw(200, 2)
    packets = codec.encode(y)
    if not codec.decodes:
        return
    x_hat, estimate = codec.decode(packets), codec.estimate(packets)
    np.testing.assert_allclose(x_hat, signal.offset + signal.scale * estimate, rtol=1e-12)
    own = (x - signal.offset) / signal.scale
    flagged = np.isnan(x_hat).any(axis=1)
    in_units = nmse_db((x - signal.offset)[~flagged], (x_hat - signal.offset)[~flagged])
    on_own_scale, rounding_db = nmse_db(own[~flagged], estimate[~flagged]), -200.0
    assert max(in_units, rounding_db) == pytest.approx(max(on_own_scale, rounding_db)) or codec.exact
    assert in_units < -0.3


def test_sensed_windows_are_the_drawn_counts(codec: Codec) -> None:
    """Where a bundle holds its source and Φ: sense(x) is what draw measured, up to the noise."""
    if not codec.bundle.has("signal.npz") or not len(codec.sensor.phi):
        with pytest.raises(QcsError, match=rf"give rows of what the device sees, {codec.inputs} numbers each$"):
            codec.sense(np.zeros((codec.windows, codec.width)))
        return
    signal, adc = codec.bundle.manifest.signal, codec.bundle.manifest.adc
    x, y = codec.draw(100, 5)
    difference = codec.sense(x).astype(int) - codec.counts(y)
    noise = 6 * signal.scale * np.sqrt(signal.noise_variance) / adc.units_per_count
    assert np.abs(difference).max() <= noise + 1
    assert (noise == 0) == (signal.noise_variance == 0)
    if signal.direct and signal.n * codec.windows == codec.inputs and not noise:
        assert np.array_equal(codec.counts(y), adc.counts(x).reshape(-1, codec.inputs))
    shift = np.rint(100 * adc.units_per_count) if adc.units_per_count >= 1 else 100 * adc.units_per_count
    inner = np.full((codec.windows, codec.width), signal.offset)
    moved = codec.sense(inner + shift).astype(int) - codec.sense(inner)
    if signal.direct:
        assert set(moved.ravel().tolist()) == {round(shift / adc.units_per_count)}
    assert np.abs(codec.sense(inner) - codec.centre).max() <= 1


def test_garbage_is_refused_or_decodes_to_something(codec: Codec) -> None:
    rng, most = np.random.default_rng(1), codec.packed_bytes_max
    good = golden(codec)[0]
    for packet in [good + bytes(most), b"", *([good[:-1]] if codec.fixed_size else [])]:
        with pytest.raises(QcsError):
            codec.explain(packet)
        with pytest.raises(QcsError):
            codec.decode(Packets.of([packet]))
    for number in range(200):
        packet = rng.integers(0, 256, most if codec.fixed_size else rng.integers(1, most + 1), np.uint8).tobytes()
        if number % 2:
            packet = bytes([*good[:-1], good[-1] ^ 1 << rng.integers(0, 8)])
        try:
            numbers = codec.explain(packet)
        except QcsError:
            if codec.decodes:
                with pytest.raises(QcsError):
                    codec.decode(Packets.of([packet]))
            continue
        assert all(isinstance(value, int) for value in numbers)
        if codec.decodes:
            x_hat = codec.decode(Packets.of([packet]))
            assert x_hat.shape == (codec.windows, codec.width)
            assert np.isfinite(x_hat).all() or np.isnan(x_hat).all()


def test_explain_tells_packets_apart(codec: Codec, sets: dict[str, Counts]) -> None:
    packets = codec.encode_counts(sets["source"])
    explained = [codec.explain(packet) for packet in packets]
    assert all(isinstance(value, int) for numbers in explained for value in numbers)
    assert len(set(explained)) == len(set(packets))


def test_wrong_counts_and_measurements_are_refused(codec: Codec) -> None:
    m = codec.inputs
    wrong = {
        "shape": [np.zeros((2, m + 1), np.int16), np.zeros(m, np.int16), np.zeros((1, 2, m), np.int16)],
        "expected int16": [np.zeros((2, m)), np.zeros((2, m), bool), np.full((2, m), np.nan)],
        "outside int16": [np.full((2, m), 32768), np.full((2, m), -32769), np.full((1, m), 2**64 - 1, np.uint64)],
    }
    for message, values in wrong.items():
        for value in values:
            with pytest.raises(QcsError, match=message):
                codec.encode_counts(value)
            with pytest.raises(QcsError, match=message):
                codec.definition(value)
    for bad in (np.nan, np.inf):
        y = np.zeros((3, m))
        y[1, 0] = bad
        with pytest.raises(QcsError, match="frame 1 holds NaN or infinity"):
            codec.encode(y)
    assert equal(codec.encode_counts(np.full((1, m), 300, np.uint32)), codec.encode_counts(np.full((1, m), 300)))


def test_network_inputs_where_they_can_be_given(codec: Codec, sets: dict[str, Counts]) -> None:
    counts = sets["source"]
    assert equal(codec.encode_any(counts), codec.encode_counts(counts))
    inputs = np.zeros((2, codec.inputs), np.int8)
    if codec.takes_inputs:
        assert equal(codec.encode_any(codec.network_input(counts)), codec.encode_counts(counts))
        assert equal(codec.encode_any(inputs), codec.encode_inputs(inputs))
        return
    for call in (lambda: codec.encode_inputs(inputs), lambda: codec.encode_any(inputs),
                 lambda: codec.network_input(counts)):  # fmt: skip
        with pytest.raises(QcsError, match="takes ADC counts, not network inputs"):
            call()


def test_words_and_costs(codec: Codec) -> None:
    rows = codec.describe()
    assert rows
    assert all(isinstance(text, str) and text for row in rows.items() for text in row)
    assert all(type(value) is int and value >= 0 for value in codec.cost().values())
    assert codec.cost()["io_bytes"] == 2 * codec.inputs + codec.packed_bytes_max
    assert 0 < codec.rate_bits <= 8 * codec.packed_bytes_max / (codec.windows * codec.width)


def test_a_codec_and_its_bundle_are_each_told_in_one_line(codec: Codec) -> None:
    bundle, manifest = codec.bundle, codec.bundle.manifest
    measured = manifest.nmse.deployed_db
    told = (codec.kind, f"'{codec.name}'", manifest.model_id, "not measured" if measured is None else f"{measured:.2f}")
    sizes = (f"{codec.inputs} counts", f"{codec.packed_bytes_max} bytes", f"{codec.width} entries")
    most = ("at most",) * (not codec.fixed_size)
    for line, parts in ((repr(codec), (*told, *sizes, *most)), (repr(bundle), (*told, f"'{bundle.path}'"))):
        assert [part for part in parts if part not in line] == []
        assert len(line) < 200 + len(str(bundle.path))
        assert "\n" not in line


def contents(bundle: Bundle) -> dict[str, bytes]:
    return {name: bundle.read(name) for name in bundle.manifest.files}


def test_tables_of_another_model_are_noticed(codec: Codec) -> None:
    bundle = codec.bundle
    for name, array in bundle.arrays.items():
        changed = array.copy()
        changed.flat[0] += 1
        tables = npz_bytes({**bundle.arrays, name: changed})
        other = replace(bundle, content={**contents(bundle), "tables.npz": tables})
        with pytest.raises(QcsError, match=r"tables\.npz.*run 'qcskit (export|design)' again"):
            codecs.load_codec(other)


@pytest.mark.parametrize("change", [{"inputs": 1}, {"packed_bytes_max": 999}, {"windows": 3}, {"model_id": "0" * 16}])
def test_a_manifest_of_another_model_is_noticed(codec: Codec, change: dict[str, int | str]) -> None:
    manifest = codec.bundle.manifest.model_copy(update=change)
    with pytest.raises(QcsError, match=r"manifest\.json"):
        codecs.load_codec(replace(codec.bundle, manifest=manifest))


def test_c_text_that_the_tables_do_not_give_is_noticed(codec: Codec) -> None:
    for name in codec.c_files():
        files = {**contents(codec.bundle), f"c/{name}": b"/* edited */\n"}
        edited = codecs.load_codec(replace(codec.bundle, content=files))
        with pytest.raises(CheckFailedError, match=f"c/{name} is not what tables.npz gives"):
            edited.checked_c_files()


def test_simulate_passes_and_resumes(codec: Codec, tmp_path: Path) -> None:
    config = SimulateConfig(vectors=300, oracle_vectors=100)
    verdict = simulate(codec.bundle, config, out=tmp_path / "verdict.json")
    assert verdict.passed
    assert verdict.complete
    assert verdict.sets["edges"] == 60
    assert verdict.counts is not None
    assert verdict.counts.encoded_vectors == 65536
    assert (verdict.recovery is not None) == codec.exact
    again = simulate(codec.bundle, config, resume=verdict)
    assert again.implementations == verdict.implementations


def streamed(codec: Codec, packets: Packets, kind: str) -> bytes:
    if kind == "bin":
        return b"".join(packet if codec.fixed_size else varint(len(packet)) + packet for packet in packets)
    if kind == "hex":
        return "\n".join(p.hex() for p in packets).encode()
    if kind == "csv":
        return b"# bytes\n" + "\n".join(",".join(map(str, p)) for p in packets).encode() + b"\n"
    if kind == "npz":
        return npz_bytes({"packed": packets.bytes, "packed_offsets": packets.offsets})
    file = io.BytesIO()
    np.save(file, packets.table(codec.packed_bytes_max))
    return file.getvalue()


@pytest.mark.parametrize("kind", ["bin", "hex", "csv", "npy", "npz"])
def test_decode_reads_every_format(codec: Codec, kind: str) -> None:
    packets = golden(codec)
    data = io.BytesIO(streamed(codec, packets, kind))
    if kind == "npy" and not codec.fixed_size:
        with pytest.raises(QcsError, match=r"different sizes do not fit a \.npy"):
            list(read_packets(data, kind, codec))
        return
    read = list(read_packets(data, kind, codec))
    assert equal(Packets.join(read), packets)
    if codec.decodes:
        x_hat = np.concatenate(list(decode_packets(codec, read, DecodeConfig(batch_frames=5))))
        np.testing.assert_allclose(x_hat, codec.bundle.vectors["x_hat"], atol=1e-6)


def test_a_package_builds_and_predicts(codec: Codec, tmp_path: Path) -> None:
    if not shutil.which("cmake"):
        pytest.skip("needs the Debian package cmake")
    write_package(tmp_path / "p", package_files([codec.bundle], "plain", sources()))
    build = tmp_path / "build"
    for command in (["cmake", "-S", str(tmp_path / "p"), "-B", str(build)], ["cmake", "--build", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    done = subprocess.run([build / "qcs_example"], capture_output=True, text=True, check=True)
    expected = codec.definition(example_counts(codec)[None])[0]
    assert done.stdout == " ".join(f"{byte:02x}" for byte in expected) + " as predicted\n"
