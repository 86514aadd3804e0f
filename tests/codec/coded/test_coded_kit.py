"""A coded bundle through the kit: export, C on the host and on emulated boards, simulate, hil, decode."""

import functools
import json
import subprocess
import sys
import types

import numpy as np
import pytest
from support.tampered import contents

from qcskit.codec import seeds
from qcskit.codec.bundle import read_bundle
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.coded.bundle import CodedCodec
from qcskit.codec.coded.scheme import CodedConfig
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.sensor import AdcConfig
from qcskit.export.coded.design import design, measured
from qcskit.export.config import ExportConfig
from qcskit.firmware import HostCodec, build_host_library
from qcskit.firmware_sim import SimulateConfig, simulate

SHAPES = {
    "binary": ({"m": 128}, 0),
    "binary_short": ({"n": 60, "k": 2, "m": 32, "guard": False, "period_bits": 9}, 100),
    "binary_tiny": ({"n": 15, "k": 1, "m": 8, "guard": False, "period_bits": 15}, 31),
    "ternary": ({"n": 80, "k": 3, "m": 64, "p": 3}, -5),
    "quinary": ({"n": 124, "k": 3, "m": 64, "p": 5, "period_bits": 11}, 0),
    "septenary": ({"n": 48, "k": 2, "m": 64, "p": 7, "period_bits": 10, "values": "unsigned"}, 7),
}
SMALL = {"golden_frames": 32, "test_frames": 200}


def write(path, shape):
    settings, offset = SHAPES[shape]
    tables = {"coded": CodedConfig(**settings), "adc": AdcConfig(offset_counts=offset)}
    design(path, tables, ExportConfig(name=shape, **SMALL))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made(shape): the path of its bundle, written when first asked for."""
    root = tmp_path_factory.mktemp("bundles")
    return functools.cache(lambda shape: write(root / shape, shape))


NO_LONG = ("-DQCS_NO_LONG_MULTIPLY", "-DQCS_CODED_PLAIN", "-O1")
SANITIZED = ("-O0", "-fsanitize=undefined")
BUILDS = [(name, ()) for name in SHAPES] + [("binary_tiny", NO_LONG), ("septenary", NO_LONG), ("quinary", SANITIZED)]


@pytest.mark.parametrize(("name", "flags"), BUILDS)
def test_c_equals_numpy_on_every_count(made, name, flags):
    codec = open_codec(made(name))
    host = HostCodec(build_host_library(made(name) / "c", extra_flags=flags), f"qcs_{name}_codec")
    m = codec.scheme.config.m
    every = np.arange(-32768, 32768).astype(np.int16)
    counts = np.stack([np.roll(every, 7 * i) for i in range(m)], axis=1)[:: 1 if not flags else 8]
    answer = Packets.rows(*host.encode(np.ascontiguousarray(counts)))
    assert not answer.differ(codec.encode_counts(counts)).any()
    with pytest.raises(Exception, match="does not take int8"):
        host.encode(np.zeros((1, m), np.int8))


@pytest.mark.parametrize("name", SHAPES)
def test_bundle_gives_back_the_codec(made, name):
    bundle = read_bundle(made(name))
    codec = load_codec(bundle)
    vectors = bundle.vectors
    packets = Packets(vectors["packed"], vectors["packed_offsets"])
    assert not codec.encode(vectors["y"]).differ(packets).any()
    assert (packets.lengths == bundle.manifest.packed_bytes_max).all()
    x_hat = codec.decode(packets)
    assert np.array_equal(x_hat, vectors["x_hat"], equal_nan=True)
    assert (x_hat == vectors["x"]).all(axis=1).mean() > 0.9
    assert bundle.manifest.codec.perfect_recovery > 0.9
    with pytest.raises(QcsError, match="takes ADC counts"):
        codec.network_input(vectors["counts"])


def test_what_a_design_says_of_recovery_is_counted_vector_by_vector(made, monkeypatch):
    """On vectors of which each is either right, wrong or flagged, and some are flagged though right."""
    codec, frames = open_codec(made("binary_tiny")), 40
    drawn = [codec.draw(16 if start < 32 else 8, [seeds.TEST, start])[0] for start in (0, 16, 32)]
    ok = np.arange(frames) % 4 > 0
    estimates = np.concatenate(drawn)
    estimates[::3] = 0
    blocks = iter(zip(np.split(estimates, [16, 32]), np.split(ok, [16, 32]), strict=True))
    monkeypatch.setattr("qcskit.export.coded.design._BLOCK", 16)
    monkeypatch.setattr(type(codec.scheme), "decode_symbols", lambda *_: types.SimpleNamespace(**dict(zip(
        ("x", "ok"), next(blocks), strict=True))))  # fmt: skip
    facts, nmse = measured(codec, frames)
    right = (np.arange(frames) % 3 > 0) & ok
    assert (facts.frames, nmse.frames) == (frames, frames)
    assert facts.perfect_recovery == right.sum() / frames
    assert facts.flagged == (~ok).sum() / frames
    energy = [float((part.astype(float) ** 2).sum()) for part in (np.concatenate(drawn)[::3], np.concatenate(drawn))]
    assert nmse.deployed_db == pytest.approx(10 * np.log10(energy[0] / energy[1]))


def test_export_is_reproducible(made, tmp_path):
    write(tmp_path / "b", "ternary")
    assert contents(tmp_path / "b") == contents(made("ternary"))


def test_another_frozen_set_is_noticed(made, tmp_path):
    bundle = read_bundle(made("binary"))
    info = bundle.arrays["info"].copy()
    info[0] = next(i for i in range(128) if i not in info)
    bundle.arrays["info"] = np.sort(info)
    with pytest.raises(QcsError, match=r"tables.npz is of model .*run 'qcskit design' again"):
        load_codec(bundle)


@pytest.mark.parametrize("name", ["binary", "quinary"])
def test_simulate(made, name):
    verdict = simulate(read_bundle(made(name)), SimulateConfig(vectors=500))
    assert verdict.passed
    assert verdict.complete
    assert verdict.counts.encoded_vectors == 65536
    assert verdict.recovery.frames == 275 + 32
    assert verdict.recovery.perfect > 0.9 * verdict.recovery.frames
    assert {t.name for t in verdict.implementations} == {"numpy", "definition", "c-host", "golden file"}


def test_simulate_finds_a_wrong_integer_in_c(tmp_path, monkeypatch):
    right = CodedCodec.c_files

    def wrong(self):
        """Another offset, and no asserts that would catch it at compile time."""
        text = right(self)
        lines = text["qcs_model_binary.c"].splitlines(keepends=True)
        kept = "".join(line for line in lines if "threshold" not in line)
        return text | {"qcs_model_binary.c": kept.replace(".offset = OFFSET", ".offset = OFFSET + STEP")}

    monkeypatch.setattr(CodedCodec, "c_files", wrong)
    design(tmp_path / "b", {"coded": CodedConfig(m=128)}, ExportConfig(name="binary", **SMALL))
    verdict = simulate(read_bundle(tmp_path / "b"), SimulateConfig(vectors=200))
    assert not verdict.passed
    assert verdict.counts.encoded_mismatches > 0


def test_period_must_fit_int16(tmp_path):
    with pytest.raises(QcsError, match="lower period_bits"):
        design(tmp_path / "b", {"coded": CodedConfig(m=128, period_bits=16)}, ExportConfig(**SMALL))


def test_command_line_from_export_to_decode(tmp_path, command):
    settings = ("--set", "coded.n=60", "--set", "coded.k=2", "--set", "coded.m=64", "--set", "export.test_frames=200")
    done = command("export", "--coded", *settings, "--out", "b", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["codec"]["kind"] == "coded"
    vectors = read_bundle(tmp_path / "b").vectors
    vectors["packed"].tofile(tmp_path / "packed.bin")
    done = command("decode", "b", "packed.bin", "--out", "x.npy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.load(tmp_path / "x.npy"), vectors["x_hat"], equal_nan=True)
    (tmp_path / "short.bin").write_bytes(b"\0" * 9)
    for arguments, message in (
        (("decode", "b", "short.bin"), "1 of 8 bytes"),
        (("decode", "b", "none.bin"), "is not a file"),
        (("export", "--out", "c"), "run 'runs/run' does not exist"),
        (("export", "--coded", "--set", "coded.p=4", "--out", "c"), "p = 4 is not prime"),
        (("export", "--coded", "--set", "coded.m=100", "--out", "c"), "power of two"),
    ):
        failed = command(*arguments, cwd=tmp_path)
        assert failed.returncode == 2
        assert message in " ".join(failed.stderr.split())
        assert "Traceback" not in failed.stderr
    assert not (tmp_path / "c").exists()


def test_hil_reports_recovery(made):
    from qcskit.hil.config import HilConfig
    from qcskit.hil.session import Run, results_of, run_device

    codec = open_codec(made("binary"))
    config = HilConfig(port=["emu:native"], vectors=300)
    entry = run_device(codec, Run("emu:native", config))
    assert entry["mismatches"]["count"] == 0
    assert entry["recovery"]["frames"] == 300
    assert entry["recovery"]["probability"] > 0.95
    assert entry["recovery"]["perfect"] + entry["recovery"]["flagged"] + entry["recovery"]["wrong"] == 300
    assert results_of(codec, config, [entry])["verdict"]["ok"]


def test_report_speaks_of_recovery(made):
    from qcskit.hil.report.page import facts

    rows = facts(open_codec(made("binary")))
    assert "dB" in rows["perfect recovery"]
    assert "k + 1 are always noticed" in rows["code"]
    assert "EncNet" not in rows


def test_nothing_here_loads_tensorflow():
    code = (
        "import sys, qcskit.export.coded.design, qcskit.codec.coded.bundle; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
