"""What the README of a library says of its model."""

import re

import pytest
from support.bundles import coded_bundle
from support.libraries import GOLDEN, library

from qcskit.codec.codecs import open_codec


@pytest.mark.parametrize("name", ["int8", "klt_range", "lossless"])
def test_the_readme_says_every_figure_of_the_model(name: str, tmp_path) -> None:
    codec, root = open_codec(GOLDEN / name), tmp_path / f"qcs_{name}"
    library(tmp_path, GOLDEN / name)
    manifest = codec.bundle.manifest
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (root / "README.md").read_text(), re.MULTILINE))
    most = "" if codec.fixed_size else "at most "
    expected = {
        "model id": manifest.model_id,
        "takes": f"{codec.inputs} ADC counts (int16) per packet, for {codec.windows} · {codec.width} source entries",
        "ADC": manifest.adc.describe(),
        "gives": f"{most}{codec.packed_bytes_max} bytes per packet",
        "rate": f"{codec.rate_bits:g} bits per source entry",
    }
    assert expected.items() <= rows.items()
    assert rows.keys() - expected.keys() == {
        "NMSE deployed", "NMSE float", "scratch", "stack", "tables", "static RAM, heap",
    }  # fmt: skip
    assert re.fullmatch(r"exact|not measured|-?\d+\.\d\d dB, [\d,]+ frames", rows["NMSE deployed"])
    assert re.search(r"\b1 byte$|\d+ bytes", rows["scratch"])


def test_a_recovery_that_fails_at_times_is_not_called_exact(tmp_path) -> None:
    """And what is one is called a byte."""
    codec = coded_bundle(tmp_path / "b", snr_db=-6.0, name="noisy")
    nmse = codec.bundle.manifest.nmse
    assert nmse.deployed_db is not None
    readme = (library(tmp_path, tmp_path / "b") / "README.md").read_text()
    assert f"| NMSE deployed | {nmse.deployed_db:.2f} dB, 200 frames |" in readme
    assert "| scratch | 1 byte |" in readme
