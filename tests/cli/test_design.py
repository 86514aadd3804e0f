"""`qcskit design`, and the short forms of export: a bundle from a configuration alone, for every family."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from support import toy
from support.command import Run, refused
from typer.testing import CliRunner

from qcskit.cli import build_app, main
from qcskit.codec.codecs import open_codec
from qcskit.codec.files import sha256

FEW = {
    "coded": ("-s", "coded.n=60", "-s", "coded.k=2", "-s", "coded.m=32", "-s", "export.test_frames=200"),
    "ce-usq-omp": ("-s", "classical.train_frames=2000", "-s", "classical.test_frames=500"),
}


def qcskit(*arguments: str) -> dict:
    done = CliRunner().invoke(build_app(), [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("codec", "short"),
    [("coded", ["--coded"]), ("coded", ["--codec", "coded"]), ("ce-usq-omp", ["--codec", "ce-usq-omp"])],
)
def test_both_verbs_write_the_same_bundle(codec: str, short: list[str], tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    facts = qcskit("design", codec, "--out", str(a), "--name", "mine", *FEW[codec])
    again = qcskit("export", *short, "--out", str(b), "--name", "mine", *FEW[codec])
    assert (a / "manifest.json").read_bytes() == (b / "manifest.json").read_bytes()
    assert facts == {"bundle": str(a), **json.loads((a / "manifest.json").read_text())}
    assert again == {**facts, "bundle": str(b), "package": None}
    assert facts["name"] == open_codec(a).name == "mine"


def test_the_name_of_a_family_takes_the_codec_of_its_table(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[classical]\ncodec = "ce-sq-omp"\nlevels = 4\ntrain_frames = 2000\ntest_frames = 500\n')
    facts = qcskit("design", "--codec", "classical", "-c", str(config), "-o", str(tmp_path / "b"))
    assert facts["codec"]["method"] == "ce-sq-omp"
    assert facts["codec"]["levels"] == 4


def test_what_was_designed_is_shown(tmp_path: Path) -> None:
    done = CliRunner().invoke(build_app(), ["design", "coded", "-o", str(tmp_path / "b"), *FEW["coded"]])
    assert done.exit_code == 0, done.output
    for word in ("designed", "at most k = 2 not zero", "32 bits in 4 bytes", "qcskit simulate"):
        assert word in done.output
    assert sha256((tmp_path / "b" / "tables.npz").read_bytes())[:8] in (tmp_path / "b" / "manifest.json").read_text()


@pytest.mark.parametrize(("basis", "fits"), [("identity", False), ("dct", True)])
def test_a_codec_that_is_worse_than_sending_nothing_says_so(basis: str, fits: bool, tmp_path: Path) -> None:
    """OMP looks for a few samples that are not 0; a recording has a few DCT coefficients that are not."""
    time = np.arange(4000)
    np.save(tmp_path / "r.npy", np.rint(2000 + 700 * np.sin(time / 31) + 150 * np.sin(time / 7)).astype(np.int16))
    few = {"signal.source": "recorded", "signal.recording": tmp_path / "r.npy", "signal.n": 16, "signal.m": 8,
           "signal.basis": basis, "adc.bits": 14, "classical.levels": 16, "classical.train_frames": 2000,
           "classical.test_frames": 500}  # fmt: skip
    settings = [word for key, value in few.items() for word in ("-s", f"{key}={value}")]
    environment = {"COLUMNS": "400", "TERM": "dumb"}
    out = str(tmp_path / "b")
    for arguments in (["design", "ce-usq-omp", "-o", out, *settings], ["inspect", out, "--no-cost"]):
        done = CliRunner().invoke(build_app(), arguments, env=environment)
        assert done.exit_code == 0, done.output
        assert (json.loads((tmp_path / "b" / "manifest.json").read_text())["nmse"]["deployed_db"] < 0) == fits
        assert ("worse than sending nothing" in done.output) == (not fits)
        assert ("try another signal.basis" in done.output) == (not fits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["design"], "which codec?"),
        (["design", "cedou"], "did you mean 'coded'?"),
        (["design", "ce-usq-opm"], "did you mean 'ce-usq-omp'?"),
        (["design", "learned"], "trained by 'qcskit train', then 'qcskit export RUN'"),
        (["design", "ce-vq-l1"], "floating-point codebook"),
        (["design", "coded", "--codec", "ec-vq"], "give the codec once"),
        (["design", "coded", "-s", "coded.kk=3"], "unknown key 'kk' in [coded]; did you mean 'k'?"),
        (["export", "--codec", "cedou"], "did you mean 'coded'?"),
        (["export", "run", "--coded"], "one of a run, a model, --coded and --codec NAME"),
        (["export", "--coded", "--codec", "ec-vq"], "one of a run, a model, --coded and --codec NAME"),
        (["export", "--coded", "--to", "arduno"], "did you mean 'arduino'?"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], message: str, tmp_path: Path, run: Run) -> None:
    refused(run(*arguments), message)
    assert not list(tmp_path.iterdir())


def test_a_family_from_outside_goes_the_whole_road(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Packets of different sizes, two windows each: no verb asks which family it is."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["qcskit", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        assert end.value.code in (0, None), printed.err
        return printed.out

    with toy.registered():
        assert "toy: first differences, Rice-coded" in called("design", "--help")
        called("design", "toy", "-o", "b", "-q", "-s", "export.test_frames=500")
        vectors = dict(np.load("b/vectors.npz"))
        checked = called("simulate", "b", "-n", "2000", "--oracle-vectors", "0")
        assert "not compared with the definition, 0 mismatches of the C in 65,536 vectors" in checked
        assert "bytes per packet min / mean / max" in called("hil", "b", "-p", "emu:native", "-n", "200")
        assert "io bytes" in called("inspect", "b", "--no-cost")
        called("report", "b", "-r", "results.json", "-v", "verdict.json", "--no-cost")
        called("package", "b", "--to", "plain", "-o", "p")
        called("decode", "b", "b/vectors.npz", "-o", "x.npy", "-q")
    np.testing.assert_array_equal(np.load("x.npy"), vectors["x_hat"])
    assert (tmp_path / "p" / "include" / "qcs_toy.h").is_file()
