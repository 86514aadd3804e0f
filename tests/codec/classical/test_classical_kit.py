"""A classical codec through the kit: export, C on the host and on boards, simulate, hil, decode, wrong input."""

import functools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import orthogonal_mp
from support.tampered import contents, tampered
from typer.testing import CliRunner

from qcskit.cli import build_app
from qcskit.codec.bundle import read_bundle
from qcskit.codec.classical import make
from qcskit.codec.classical.bundle import ClassicalCodec, count_cells, model_id
from qcskit.codec.classical.config import ClassicalConfig
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.config import load_table
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import AdcConfig, CountGrid, grid_of
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix
from qcskit.export.classical.design import design
from qcskit.export.config import ExportConfig
from qcskit.firmware import HostCodec, build_host_library
from qcskit.firmware_sim import SimulateConfig, simulate

WAVELET = {"n": 32, "m": 16, "s": 2, "basis": "db4", "matrix": "gaussian", "matrix_seed": 3}
SMALL_WAVELET = {**WAVELET, "n": 16, "m": 8, "s": 1}
SHAPES = {
    "omp": ({"codec": "ce-usq-omp"}, {}, {}),
    "l1": ({"codec": "ce-usq-l1", "rate": 1.0}, {}, {"bits": 10, "offset_counts": 100}),
    "lloyd": ({"codec": "ce-sq-l1", "levels": 3, "mu": "printed"}, {"snr_db": 20}, {"offset_counts": -7}),
    "fine": ({"codec": "ce-usq-omp-residual", "levels": 256}, {"n": 9, "m": 5, "s": 1}, {"bits": 16}),
    "eleven": ({"codec": "ce-usq-mmse", "levels": 11}, {"n": 7, "m": 4, "s": 1, "noise_variance": 0.01}, {}),
    "consistent": ({"codec": "ce-usq-consistent", "levels": 4, "train_frames": 1000}, SMALL_WAVELET, {}),
    "biht": ({"codec": "1-bit-biht"}, WAVELET, {}),
    "pv": ({"codec": "1-bit-pv"}, {}, {}),
}
FEW = {"train_frames": 3000, "test_frames": 300}


def write(path, shape):
    classical, signal, adc = SHAPES[shape]
    tables = {"classical": ClassicalConfig(**FEW | classical), "signal": SignalConfig(**signal)}
    design(path, tables | {"adc": AdcConfig(**adc)}, ExportConfig(name=shape, golden_frames=32))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """made(shape): the path of its bundle, written when first asked for."""
    root = tmp_path_factory.mktemp("bundles")
    return functools.cache(lambda shape: write(root / shape, shape))


SANITIZED = ("-O0", "-fsanitize=undefined")
BUILDS = [(name, ()) for name in SHAPES] + [("fine", SANITIZED), ("eleven", SANITIZED), ("omp", SANITIZED)]


@pytest.mark.parametrize(("name", "flags"), BUILDS)
def test_c_counts_the_thresholds_on_every_count(made, name, flags):
    codec = open_codec(made(name))
    host = HostCodec(build_host_library(made(name) / "c", extra_flags=flags), f"qcs_{name}_codec")
    every = np.arange(-32768, 32768).astype(np.int16)
    counts = np.stack([np.roll(every, 7 * i) for i in range(codec.inputs)], axis=1)[:: 1 if not flags else 8]
    counts = np.ascontiguousarray(counts)
    # The definition, one comparison per threshold and count: no search of any kind.
    wide = codec.cells.thresholds.astype(np.int32)
    index = sum((counts >= wide[None, :, j]).astype(np.uint8) for j in range(wide.shape[1]))
    assert np.array_equal(host.encode(counts).rows, codec.packing.pack(index))
    with pytest.raises(Exception, match="does not take int8"):
        host.encode(np.zeros((1, codec.inputs), np.int8))


@pytest.mark.parametrize("name", SHAPES)
def test_bundle_gives_back_the_codec(made, name):
    bundle = read_bundle(made(name))
    codec = load_codec(bundle)
    vectors, manifest = bundle.vectors, bundle.manifest
    packets = Packets(vectors["packed"], vectors["packed_offsets"])
    assert not codec.encode(vectors["y"]).differ(packets).any()
    assert np.allclose(codec.decode(packets), vectors["x_hat"], atol=1e-6)
    assert codec.decode(packets.select([])).shape == (0, manifest.signal.n)
    assert manifest.rate_bits == codec.rate_bits
    assert manifest.nmse.deployed_db < -0.3
    assert abs(manifest.nmse.deployed_db - manifest.nmse.float_db) < 0.5
    with pytest.raises(QcsError, match="takes ADC counts"):
        codec.network_input(vectors["counts"])


@pytest.mark.parametrize("name", SHAPES)
def test_measurements_lie_in_the_cells_the_host_decodes(made, name):
    """The received cell of every y inside the converter's range holds y itself, not just what its count stands for."""
    codec = open_codec(made(name))
    y = codec.draw(500, 11)[1]
    full_scale = codec.bundle.manifest.adc.high * codec.cells.grid.step
    y = y[(np.abs(y) < full_scale).all(axis=1)]
    index = codec.cells.index(codec.counts(y)).astype(int)
    edges = np.concatenate([np.full((codec.inputs, 1), -np.inf), codec.cells.edges,
                            np.full((codec.inputs, 1), np.inf)], axis=1)  # fmt: skip
    rows = np.arange(codec.inputs)
    tie = 1e-9 * codec.cells.grid.step
    assert (y >= edges[rows, index] - tie).all()
    assert (y <= edges[rows, index + 1] + tie).all()


def test_the_host_decodes_as_scikit_learn_does(made):
    bundle = read_bundle(made("omp"))
    points, codec = bundle.arrays["points"], load_codec(bundle)
    index = codec.index(bundle.vectors["counts"])
    rebuilt = points[np.arange(10), index]
    phi = measurement_matrix(SignalConfig())
    oracle = orthogonal_mp(phi, rebuilt.T, n_nonzero_coefs=2).T
    assert np.allclose(codec.decode(codec.encode_counts(bundle.vectors["counts"])), oracle, atol=1e-6)


def test_counts_cost_little_nmse_and_fine_ones_nothing():
    signal = SignalConfig()
    x, y = draw_frames(signal, 2000, 77)
    reached = {count: nmse_db(x, codec.decode(codec.encode(y))) for count in (None, 1e-7, 0.002)
               for codec in [make("ce-usq-l1", signal, 8, count=count, train_frames=2000)]}  # fmt: skip
    assert reached[1e-7] == pytest.approx(reached[None], abs=1e-3)
    assert reached[0.002] == pytest.approx(reached[None], abs=0.05)


def test_export_is_reproducible(made, tmp_path):
    write(tmp_path / "b", "lloyd")
    assert contents(tmp_path / "b") == contents(made("lloyd"))


def test_other_tables_are_noticed(made):
    bundle = read_bundle(made("l1"))
    bundle.arrays["points"] = bundle.arrays["points"] + 1e-12
    with pytest.raises(QcsError, match=r"tables.npz is of model .*run 'qcskit design' again"):
        load_codec(bundle)


@pytest.mark.parametrize("name", ["omp", "eleven", "fine"])
def test_simulate(made, name):
    verdict = simulate(read_bundle(made(name)), SimulateConfig(vectors=1000))
    assert verdict.passed
    assert verdict.complete
    assert verdict.counts.encoded_vectors == 65536
    assert {t.name: t.mismatches for t in verdict.implementations} == {
        "numpy": 0, "definition": 0, "c-host": 0, "golden file": 0,
    }  # fmt: skip
    assert verdict.sets == {"golden": 32, "source": 550, "uniform": 150, "corners": 100, "edges": 200}


def test_simulate_finds_a_threshold_off_by_one_count_in_c(made, tmp_path, monkeypatch):
    right = ClassicalCodec.c_files
    threshold = read_bundle(made("l1")).arrays["thresholds"][3, 1]

    def wrong(self):
        text = right(self)
        changed = text["qcs_model_l1.c"].replace(f" {threshold},", f" {threshold + 1},", 1)
        assert changed != text["qcs_model_l1.c"]
        return text | {"qcs_model_l1.c": changed}

    monkeypatch.setattr(ClassicalCodec, "c_files", wrong)
    write(tmp_path / "b", "l1")
    verdict = simulate(read_bundle(tmp_path / "b"), SimulateConfig(vectors=500))
    assert not verdict.passed
    assert verdict.counts.encoded_mismatches > 0


def test_a_c_file_that_was_edited_is_noticed(made, tmp_path):
    bundle = read_bundle(made("l1"))
    edited = tampered(bundle, tmp_path / "b", "c/qcs_model_l1.c", lambda text: text.replace(b"{", b"{ ", 1))
    with pytest.raises(CheckFailedError, match=r"c/qcs_model_l1\.c is not what tables\.npz gives"):
        simulate(edited, SimulateConfig(vectors=500))


def test_boards_agree_and_decode_to_the_same_nmse(made):
    from qcskit.firmware import find_board
    from qcskit.hil.config import HilConfig
    from qcskit.hil.session import Run, results_of, run_device

    codec = open_codec(made("omp"))
    config = HilConfig(port=["emu:native"], vectors=100, give_up_s=200)  # emulators on a busy machine
    ports = ["emu:native", *(f"emu:{name}" for name in ("cortex-m4", "avr") if not find_board(name).missing)]
    for port in ports:
        entry = run_device(codec, Run(port, config))
        assert entry["mismatches"]["count"] == 0
        assert entry["nmse"]["device_db"] == entry["nmse"]["deployed_db"] < -6
        assert results_of(codec, config, [entry])["verdict"]["ok"]


def test_report_speaks_of_the_method(made):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra `report`, or python3-matplotlib)")
    from qcskit.hil.report.page import facts, render

    codec = open_codec(made("l1"))
    assert facts(codec)["method"] == "ce-usq-l1"
    assert "ADC counts" in render(codec, None, None)


@pytest.mark.parametrize("kind", ["plain", "arduino"])
def test_package_holds_the_codec(made, kind):
    from qcskit.export.packages import package_files
    from qcskit.firmware import sources

    files = package_files([read_bundle(made("fine"))], kind, sources())
    assert any(name.endswith("qcs_classical.c") for name in files)
    assert any(b"qcs_fine_encode(" in content for content in files.values())


FEW_SETS = ("--set", "classical.train_frames=2000", "--set", "classical.test_frames=300")


def test_command_line_from_export_to_decode(tmp_path, command):
    done = command("export", "--codec", "ce-usq-omp", *FEW_SETS, "--out", "b", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["codec"]["method"] == "ce-usq-omp"
    vectors = read_bundle(tmp_path / "b").vectors
    vectors["packed"].tofile(tmp_path / "packed.bin")
    done = command("decode", "b", "packed.bin", "--out", "x.npy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert np.allclose(np.load(tmp_path / "x.npy"), vectors["x_hat"], atol=1e-6)
    done = command("inspect", "b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ce-usq-omp" in done.stdout


ZERO_COLUMN, TWICE = np.eye(20)[:10] + 0.1, np.ones((10, 20))
ZERO_COLUMN[:, 3] = 0
REFUSED = [
    (("export", "--codec", "ec-vq"), "cannot be exported: its encoder estimates x"),
    (("export", "--codec", "ce-vq-l1"), "with all codewords"),
    (("export", "--codec", "ce-usq-l1*"), "must know the source"),
    (("export", "--codec", "ce-usq-om"), "did you mean 'ce-usq-omp'"),
    (("export", "--codec", "ce-usq-omp", "--coded"), "export takes one of a run, a model, --coded and --codec NAME"),
    (("export", "--codec", "ce-usq-omp", "--set", "signal.s=11"), "s must not exceed m"),
    (("export", "--codec", "ce-usq-l1", "--set", "classical.mu=-0.1"), "must be finite and >= 0"),
    (("export", "--codec", "ce-usq-omp", "--set", "classical.levels=300"), "2 … 256 levels"),
    (("export", "--codec", "ce-usq-omp", "--set", "classical.rate=0.3"), "0.6 bits for each of the m = 10"),
    (("export", "--codec", "ce-usq-omp", "--set", "classical.levels=256", "--set", "adc.bits=8"),
     "raise adc.bits"),
    (("export", "--codec", "ce-usq-omp", "--set", "signal.matrix=file", "--set", "signal.matrix_file=zero.npy"),
     "column 3 is zero"),
    (("export", "--codec", "ce-usq-omp", "--set", "signal.matrix=file", "--set", "signal.matrix_file=twice.npy"),
     "rank 1 < m = 10"),
    (("export", "--codec", "ce-usq-omp", "--set", "classical.rate=1", "--set", "classical.levels=4"),
     "rate follows from levels: give one of the two"),
    (("export", "--codec", "1-bit-pv", "--set", "classical.rate=1"), "R = M / N = 0.5"),
    (("sweep", "--variant", "ce-vq-l1", "--rate", "2"), "codewords, more than the 16384"),
    (("sweep", "--variant", "ec-vq", "--set", "signal.source=signs", "--rate", "0.2"), "source = 'gaussian'"),
    (("sweep", "--variant", "ce-usq-mmse", "--set", "signal.n=60", "--set", "signal.m=30", "--set", "signal.s=6",
      "--rate", "0.5"), "supports"),
    (("sweep", "--variant", "ce-usq-l2"), "did you mean 'ce-usq-l1'"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_is_one_clear_line(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    np.save("zero.npy", ZERO_COLUMN)
    np.save("twice.npy", TWICE)
    result = CliRunner().invoke(build_app(), [*arguments, *FEW_SETS, "--out", "c"])
    assert result.exception.exit_code in (1, 2)
    assert message in str(result.exception) + result.output.replace("\n", " ")
    assert "\n" not in str(result.exception)
    assert not Path("c/manifest.json").exists()


def test_a_fit_that_its_decoder_needs_is_named(made):
    bundle = read_bundle(made("l1"))
    facts = bundle.manifest.codec.model_copy(update={"tuning": {}})
    with pytest.raises(QcsError, match=r"manifest.json: tuning holds no 'mu'; run 'qcskit design' again$"):
        load_with_its_id(bundle, facts)


def load_with_its_id(bundle, facts):
    """Load a bundle with other facts, as if someone had made the model id fit."""
    ident = model_id(facts, bundle.arrays, grid_of(bundle.manifest.signal, bundle.manifest.adc))
    return load_codec(replace(bundle, manifest=bundle.manifest.model_copy(update={"codec": facts, "model_id": ident})))


def test_thresholds_beyond_int16_are_refused():
    with pytest.raises(QcsError, match=r"a threshold at 40000 ADC counts is outside int16; lower adc\.bits or"):
        count_cells(np.array([[-1.0, 39_999.0]]), CountGrid(1.0, 0.0))


def test_a_table_of_an_unknown_codec_names_the_nearest():
    with pytest.raises(QcsError, match=r"classical.*codec.*did you mean 'ce-usq-omp'"):
        load_table(ClassicalConfig, "classical", overrides={"codec": "ce-usq-om"})


def test_nothing_here_loads_tensorflow():
    code = (
        "import sys, qcskit.export.classical.design, qcskit.training.classical.sweep, qcskit.training.sweep; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
