"""Every kind of tampering is found by the comparison, and shown."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import learned_bundle
from support.tampered import arrays_edited, flipping_c, lower_first_threshold, tampered, with_other_c

from qcskit.codec.arrays import npz_bytes, read_npz
from qcskit.codec.bundle import Bundle, read_bundle
from qcskit.codec.codecs import load_codec
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.interface import Codec, Oracle, Packets
from qcskit.codec.metrics import Clipped
from qcskit.codec.own_data import OwnData
from qcskit.codec.text import TEXT_VERSION
from qcskit.firmware import HostCodec
from qcskit.firmware_sim import SimulateConfig, simulate
from qcskit.firmware_sim.checker import Checker, check_counts, chunk_vectors, explained, share
from qcskit.firmware_sim.implementations import Implementation, host_codec
from qcskit.firmware_sim.vectors import CHUNK_VECTORS, SHARES, Part, chunk_count, draw_chunk, golden_chunk


def test_c_text_that_is_not_the_tables_is_refused(codec: Codec, tmp_path: Path) -> None:
    wrong = tampered(codec.bundle, tmp_path / "b", "c/qcs_model_random.c",
                     lambda content: lower_first_threshold(content.decode()).encode())  # fmt: skip
    with pytest.raises(CheckFailedError, match=r"c/qcs_model_random\.c is not what tables\.npz gives"):
        simulate(wrong, SimulateConfig(vectors=100))


def test_a_wrong_threshold_in_the_c_is_found_and_the_vector_shown(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_other_c(codec, lower_first_threshold, monkeypatch)
    verdict = simulate(codec.bundle, SimulateConfig(vectors=200_000, oracle_vectors=100))
    assert not verdict.passed
    found = verdict.first_mismatch
    assert found is not None
    assert found.packets["numpy"] == found.packets["tflm"] != found.packets["c-host"]
    assert found.explained["c-host"][0] == found.explained["numpy"][0] + 1
    assert found.explained["c-host"][1:] == found.explained["numpy"][1:]
    assert len(found.input) == 10
    assert verdict.vectors < 200_000, "it stops at the first mismatch"


def test_a_wrong_offset_in_the_c_is_found_on_the_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = learned_bundle(tmp_path / "b", widths=(9, 20, 5), levels=12, seed=4, profile="tflm16")
    with_other_c(codec, lambda text: text.replace(".offset = 3,", ".offset = 4,"), monkeypatch)
    verdict = simulate(codec.bundle, SimulateConfig(vectors=500))
    assert not verdict.passed
    assert verdict.counts is not None
    assert verdict.counts.definition_mismatches == 0
    assert verdict.counts.encoded_mismatches > 0


def test_a_quantizer_that_the_tables_do_not_have_is_found_by_the_oracle(codec: Codec, tmp_path: Path) -> None:
    def edit(manifest: dict[str, dict[str, list[float]]]) -> None:
        manifest["codec"]["thresholds"][3] += 1 / 128

    verdict = simulate(tampered(codec.bundle, tmp_path / "b", "manifest.json", edit), SimulateConfig(vectors=2_000))
    assert not verdict.passed
    assert verdict.counts is not None
    assert verdict.counts.definition_mismatches
    assert verdict.counts.encoded_mismatches == 0


def test_a_flatbuffer_of_other_widths_is_refused(tmp_path: Path) -> None:
    bundle = learned_bundle(tmp_path / "b", widths=(9, 20, 5), levels=12, seed=4, profile="tflm16").bundle
    other = learned_bundle(tmp_path / "other", widths=(8, 20, 5), levels=12, seed=4, profile="tflm16").bundle
    wrong = tampered(bundle, tmp_path / "c", "encoder.tflite", lambda content: other.read("encoder.tflite"))
    with pytest.raises(QcsError, match=r"encoder\.tflite: the weights of its layer 0 are not those of tables\.npz"):
        simulate(wrong, SimulateConfig(vectors=100))


def flips(implementation: Implementation, wrong: Callable[[np.ndarray], np.ndarray]) -> Implementation:
    """The implementation with a bit of the packet flipped for vectors on which `wrong` is true."""

    def encode(values: np.ndarray) -> Packets:
        packets = implementation.encode(values)
        content = packets.bytes.copy()
        content[packets.offsets[:-1][wrong(values)]] ^= 1
        return Packets(content, packets.offsets)

    return replace(implementation, encode=encode)


def rows_in(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    wanted = {row.tobytes() for row in among} if values.dtype == among.dtype else set()
    return np.array([row.tobytes() in wanted for row in np.ascontiguousarray(values)], bool)


def parts_of(checker: Checker, number: int) -> list[Part]:
    if number < 0:
        return golden_chunk(checker.codec)
    return draw_chunk(checker.codec, checker.config.seed, number, chunk_vectors(checker.config, number))


@pytest.mark.parametrize("number", [-1, 1])
def test_whoever_differs_on_one_vector_of_any_set_is_named(each: Codec, number: int) -> None:
    """Every implementation, every set, golden vectors and drawn ones; those that are only reported fail nothing."""
    all_of = {"vectors": 10_200, "board_vectors": 10_200, "reported_vectors": 10_200}
    checker = Checker(each.bundle, SimulateConfig(**all_of, boards="native"))  # type: ignore[arg-type]
    found, roles = checker.found, {i.name: i.role for i in checker.found}
    assert found[0].name == "numpy"
    known = {"numpy": "reference", "c-host": "must agree", "c-block": "must agree", "native": "must agree"}
    known |= {"litert": "reported"} | {oracle.name: "oracle" for oracle in each.oracles()[:1]}
    assert roles == {name: known[name] for name in roles}
    assert ("c-block" in roles) == each.takes_inputs
    for part in parts_of(checker, number):
        # A recording has few windows: one that comes once.
        frame = [n for n in range(len(part.values) - 1) if rows_in(part.values, part.values[n : n + 1]).sum() == 1][-1]
        for place, implementation in enumerate(found[1:], start=1):
            if implementation.inputs_only and part.values.dtype != np.int8:
                continue
            wrong = flips(implementation, partial(rows_in, among=part.values[frame : frame + 1]))
            checker.found = [*found[:place], wrong, *found[place + 1 :]]
            result = checker.chunk(number)
            # LiteRT rounds some vectors differently; it is counted and fails nothing.
            counted = [tally for tally in result.tallies if tally.role != "reported" or tally.name == wrong.name]
            tallies = {tally.name: tally.mismatches for tally in counted if tally.mismatches}
            if implementation.role == "reported":
                assert tallies
                assert result.mismatch is None
                continue
            assert tallies == {implementation.name: 1}, part.name
            shown = result.mismatch
            assert shown is not None
            assert (shown.chunk, shown.set, shown.frame) == (number, part.name, frame)
            assert shown.input == part.values[frame].tolist()
            right = shown.packets.pop(implementation.name)
            assert set(shown.packets.values()) != {right}
            assert len(set(shown.packets.values())) == 1
            assert shown.explained.keys() == {*shown.packets, implementation.name}


def test_the_first_of_several_mismatches_is_shown(codec: Codec) -> None:
    checker = Checker(codec.bundle, SimulateConfig(vectors=200, oracle_vectors=0, reported_vectors=0))
    parts = parts_of(checker, 0)
    some = np.concatenate([parts[1].values[4:9], parts[3].values[:2]])
    checker.found[1] = flips(checker.found[1], lambda values: rows_in(values, some))
    shown = checker.chunk(0).mismatch
    assert shown is not None
    assert (shown.set, shown.frame) == (parts[1].name, 4)


def test_seconds_are_those_of_its_own_encoder(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that each implementation moves by itself; five sets of a chunk are five calls."""
    clock = SimpleNamespace(now_s=1000.0)
    monkeypatch.setattr("qcskit.firmware_sim.checker.time", SimpleNamespace(perf_counter=lambda: clock.now_s))
    checker = Checker(codec.bundle, SimulateConfig(vectors=200, oracle_vectors=0, reported_vectors=0))

    def taking(implementation: Implementation, seconds: float) -> Implementation:
        def encode(values: np.ndarray) -> Packets:
            clock.now_s += seconds
            return implementation.encode(values)

        return replace(implementation, encode=encode)

    checker.found = [taking(each, 2.0**place) for place, each in enumerate(checker.found)]
    assert [(t.name, t.seconds) for t in checker.chunk(0).tallies] == [("numpy", 5), ("c-host", 10), ("c-block", 4)]


def test_what_is_clipped_is_told_of_sets_that_a_sensor_gives(codec: Codec) -> None:
    checker = Checker(codec.bundle, SimulateConfig(vectors=200, oracle_vectors=0, reported_vectors=0))
    source = parts_of(checker, 0)[0].values
    (name,) = checker.chunk(0).clipped
    assert name == "source"
    assert checker.chunk(0).clipped[name] == Clipped.of(len(source), codec.clipped(source).mean(axis=0))
    assert checker.chunk(-1).clipped == {}


def test_who_has_a_limit_sees_every_set_in_a_long_run() -> None:
    """Also where a chunk's share is one vector, or less."""
    for limit, chunks in ((300, 3), (60, 60), (40, 120)):
        config = SimulateConfig(vectors=chunks * CHUNK_VECTORS - 70)
        seen = [share(limit, config, number) for number in range(chunk_count(config))]
        assert sum(map(len, seen)) == limit
        ends = np.cumsum([round(CHUNK_VECTORS * part) for part in SHARES.values()])
        sets = np.searchsorted(ends, np.concatenate(seen), side="right")
        assert set(sets.tolist()) == set(range(len(SHARES)))


@pytest.mark.parametrize("limit", [2, 100, 1_999])
def test_who_has_a_limit_is_compared_on_the_vectors_it_saw(codec: Codec, limit: int) -> None:
    config = SimulateConfig(vectors=2_000, oracle_vectors=limit, reported_vectors=0)
    checker = Checker(codec.bundle, config)
    frame = int(share(limit, config, 0)[-1])
    for part in parts_of(checker, 0):
        if frame < len(part.values):
            break
        frame -= len(part.values)
    checker.found[-1] = flips(checker.found[-1], partial(rows_in, among=part.values[frame : frame + 1]))
    result = checker.chunk(0)
    assert (result.tallies[-1].vectors, result.tallies[-1].mismatches) == (limit, 1)
    assert result.mismatch is not None
    assert (result.mismatch.set, result.mismatch.frame) == (part.name, frame)


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(0, 9))
def test_a_limit_is_kept_to_the_vector(vectors: int, limit: int, seed: int) -> None:
    config = SimulateConfig(vectors=vectors, seed=seed)
    seen = [share(limit, config, number) for number in range(chunk_count(config))]
    assert sum(map(len, seen)) == min(limit, vectors)
    for number, chosen in enumerate(seen):
        own = chunk_vectors(config, number)
        even = own // max(1, len(chosen))
        assert {*np.diff(chosen).tolist()} <= {even, even + 1} - {0}
        assert len(chosen) == 0 or 0 <= chosen[0] <= chosen[-1] < own


@pytest.mark.parametrize("wrong", ["packed", "input_packed", "input"])
def test_a_golden_file_of_other_packets_or_vectors_fails(each: Codec, wrong: str, tmp_path: Path) -> None:
    if wrong.startswith("input") and not each.takes_inputs:
        return

    def edit(vectors: dict[str, np.ndarray]) -> None:
        if "packed" in wrong:
            vectors[wrong][vectors[f"{wrong}_offsets"][5]] ^= 1
        else:  # inputs that another packet answers: neighbours of a recording may share one
            flat = vectors[wrong]
            packets = vectors["input_packed"].reshape(len(flat), -1)
            flat[5] = flat[(packets != packets[5]).any(axis=1).argmax()]

    bundle = tampered(each.bundle, tmp_path / "b", "vectors.npz", arrays_edited(edit))
    verdict = simulate(bundle, SimulateConfig(vectors=100, oracle_vectors=0, reported_vectors=0))
    assert not verdict.passed
    assert {t.name: t.mismatches for t in verdict.implementations if t.mismatches} == {"golden file": 1}
    shown = verdict.first_mismatch
    assert shown is not None
    assert (shown.chunk, shown.frame) == (-1, 5)
    assert shown.set == ("golden inputs" if wrong.startswith("input") else "golden")
    assert shown.packets["golden file"] != shown.packets["numpy"]


def test_a_golden_file_without_a_packet_is_refused(codec: Codec, tmp_path: Path) -> None:
    def edit(vectors: dict[str, np.ndarray]) -> None:
        vectors["packed_offsets"] = vectors["packed_offsets"][:-1]

    bundle = tampered(codec.bundle, tmp_path / "b", "vectors.npz", arrays_edited(edit))
    with pytest.raises(QcsError, match=r"vectors\.npz: array 'packed_offsets' is int64 \(32,\), expected int64 \(33\)"):
        simulate(bundle, SimulateConfig(vectors=100, oracle_vectors=0, reported_vectors=0))


def test_c_that_is_wrong_for_single_counts_at_single_inputs_fails(each: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [(0, -32768), (each.inputs - 1, 32767), (1, 0), (each.inputs - 1, -24576), (0, -24577)]
    # The last one: where inputs are not all the same.
    condition = " || ".join([f"counts[{p}] == {count}" for p, count in places] + ["(counts[0] == 7 && counts[1] != 7)"])
    with_other_c(each, flipping_c(f"({condition})"), monkeypatch)
    # The host library knows a front end by the entry that the wrong one replaces.
    monkeypatch.setattr(HostCodec, "network_input", lambda self, counts: each.network_input(counts))
    verdict = simulate(each.bundle, SimulateConfig(vectors=100, oracle_vectors=0, reported_vectors=0))
    counts = verdict.counts
    assert counts is not None
    assert (counts.encoded_mismatches, counts.encoded_vectors) == (6, 65536)
    assert (counts.definition_mismatches, counts.first_mismatch) == (None, None)
    assert not verdict.passed
    assert verdict.implementations == []


@pytest.mark.parametrize("count", [-32768, -24577, -24576, 5, 32767])
def test_a_definition_that_differs_at_one_count_fails(
    count: int, codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Implementation("definition", "oracle", codec.encode_any)
    wrong = flips(made, lambda values: (values == count).all(axis=1))
    monkeypatch.setattr(type(codec), "oracles", lambda self: (Oracle("definition", "oracle", wrong.encode),))
    verdict = simulate(codec.bundle, SimulateConfig(vectors=100))
    assert not verdict.passed
    assert verdict.counts is not None
    assert (verdict.counts.definition_mismatches, verdict.counts.first_mismatch) == (1, count)
    assert (verdict.counts.front_end_mismatches, verdict.counts.encoded_mismatches) == (0, 0)


def test_a_front_end_of_other_numbers_is_counted_exactly(each: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    if not each.takes_inputs:
        return
    with_other_c(
        each,
        lambda text: re.sub(r"\.offset = (-?\d+),", lambda found: f".offset = {int(found[1]) + 1},", text),
        monkeypatch,
    )
    every = np.arange(-32768, 32768).astype(np.int16)
    rows = np.repeat(every[:, None], each.inputs, axis=1)
    moved = each.network_input(np.maximum(rows, -32767) - np.int16(1))
    differs = (moved != each.network_input(rows)).any(axis=1)
    counts = simulate(each.bundle, SimulateConfig(vectors=100, oracle_vectors=0)).counts
    assert counts is not None
    assert counts.front_end_mismatches == differs[1:].sum() > 0
    assert counts.first_mismatch == every[1:][differs[1:]][0]
    assert not counts.passed


def test_c_without_a_front_end_or_of_another_model_is_refused(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    host = host_codec(codec)
    monkeypatch.setattr(type(host), "network_input", lambda self, counts: None)
    with pytest.raises(QcsError, match="its C text has no front end, its tables have one"):
        check_counts(codec, host, defined=False)
    own = ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(codec.bundle.manifest.model_id))
    with_other_c(codec, lambda text: text.replace(own, "1, 2, 3, 4, 5, 6, 7, 8"), monkeypatch)
    with pytest.raises(QcsError, match=r"the C text is of model 0102030405060708, manifest\.json of"):
        host_codec(codec)


def test_stale_c_text_does_not_compile(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    with_other_c(codec, lambda text: text.replace("QCS_VERSION == ", "QCS_VERSION == 1"), monkeypatch)
    with pytest.raises(QcsError, match="stale tables: run `qcskit export` again"):
        host_codec(codec)


def test_every_c_text_asserts_its_version(each: Codec) -> None:
    assert f"_Static_assert(QCS_VERSION == {TEXT_VERSION}, " in each.c_files()[f"qcs_model_{each.name}.c"]


def test_a_packet_that_no_encoder_gives_is_explained(codec: Codec) -> None:
    assert "expected uint8 (frames, 4)" in str(explained(codec, b"\0" * 99))


def bit_flips(content: bytes, seed: int, count: int = 60) -> Iterator[bytes]:
    for place in np.random.default_rng(seed).choice(8 * len(content), count, replace=False).tolist():
        changed = bytearray(content)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def means_the_same(manifest: bytes, other: bytes) -> bool:
    """1e-5 and 1E-5, or another last digit of the same double."""
    try:
        return bool(json.loads(manifest) == json.loads(other))
    except ValueError:
        return False


def test_any_bit_of_a_bundle_that_changes_is_noticed(each: Codec, tmp_path: Path) -> None:
    path = Path(shutil.copytree(each.bundle.path, tmp_path / "b"))
    for seed, name in enumerate(["manifest.json", *each.bundle.manifest.files]):
        content = (path / name).read_bytes()
        for changed in bit_flips(content, seed):
            if name == "manifest.json" and means_the_same(content, changed):
                continue
            (path / name).write_bytes(changed)
            with pytest.raises(QcsError) as caught:
                read_bundle(path)
            assert str(caught.value).count(name if name != "manifest.json" else "'"), changed
            assert "\n" not in str(caught.value)
        (path / name).write_bytes(content)
    read_bundle(path)


def test_any_bit_of_tables_c_or_golden_packets_is_noticed_without_hashes(each: Codec, tmp_path: Path) -> None:
    """Contents checked against each other, as if someone had made the hashes fit.

    Of signal.npz Φ, which the manifest tells as well; which windows of a recording travel is told nowhere else.
    """
    bundle, told = each.bundle, {"vectors.npz": ("packed", "input_packed"), "signal.npz": ("phi",)}
    content = {name: bundle.read(name) for name in bundle.manifest.files}
    for name in sorted(content):
        if name.endswith(".npz"):
            arrays = read_npz(content[name], name)
            changes = array_flips(arrays, told.get(name, tuple(arrays)))
        elif name.startswith("c/qcs_model_"):
            changes = bit_flips(content[name], 1, 15)
        else:
            continue
        for changed in changes:
            with pytest.raises(QcsError):
                notice(replace(bundle, content={**content, name: changed}))
    notice(replace(bundle, content=content))


def array_flips(arrays: dict[str, np.ndarray], names: tuple[str, ...], count: int = 40) -> Iterator[bytes]:
    rng, names = np.random.default_rng(2), tuple(name for name in names if name in arrays)
    while count:
        name = str(rng.choice(names))
        array = arrays[name].copy()
        array.reshape(-1).view(np.uint8)[rng.integers(array.nbytes)] ^= 1 << int(rng.integers(8))
        if name == "phi" and np.allclose(array, arrays[name], rtol=0, atol=1e-9):
            continue  # Φ, computed again on another machine, may differ by so much
        count -= 1
        yield npz_bytes({**arrays, name: array})


def notice(bundle: Bundle) -> None:
    """Do what simulate does with a bundle's contents, without the compiler."""
    codec = load_codec(bundle)
    codec.checked_c_files()
    for part in golden_chunk(codec):
        prefix = "input_" if part.name == "golden inputs" else ""
        stored = Packets(bundle.vectors[f"{prefix}packed"], bundle.vectors[f"{prefix}packed_offsets"])
        if codec.encode_any(part.values).differ(stored).any():
            raise QcsError("a golden packet differs")


def test_any_number_of_golden_vectors_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.bundles.GOLDEN", 300)
    bundle = learned_bundle(tmp_path / "b").bundle
    found = {tally.name: tally for tally in Checker(bundle, SimulateConfig(vectors=1)).chunk(-1).tallies}
    assert (found["golden file"].vectors, found["golden file"].mismatches) == (600, 0)


def test_whoever_differs_on_the_user_s_own_data_is_named(each: Codec) -> None:
    """In a chunk behind the drawn ones; whoever has a limit computes all of it."""
    counts = draw_chunk(each, 5, 0, CHUNK_VECTORS)[0].values[:40]
    own = np.concatenate([np.tile(counts, (250, 1)), counts[:7]])
    config = SimulateConfig(vectors=CHUNK_VECTORS + 1, oracle_vectors=3, boards="native", board_vectors=2)
    checker = Checker(each.bundle, config, OwnData(own, None))
    assert checker.evidence.parts["data"] == OwnData(own, None).evidence
    checker.found[-1] = flips(checker.found[-1], partial(rows_in, among=own[6:7]))
    last = checker.chunk(3)
    assert last.sets == {"data": 7}
    assert [tally.vectors for tally in last.tallies] == [0 if i.inputs_only else 7 for i in checker.found]
    assert (last.mismatch.chunk, last.mismatch.set, last.mismatch.frame) == (3, "data", 6)  # type: ignore[union-attr]
    assert last.clipped["data"].per_input == each.clipped(own[-7:]).mean(axis=0).tolist()
    assert checker.chunk(2).sets == {"data": CHUNK_VECTORS}
    assert checker.chunk(1).sets == {"source": 1}
