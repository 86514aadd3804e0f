"""Every kind of tampering is found by the comparison, and shown."""

from pathlib import Path

import pytest
from support.bundles import learned_bundle
from support.tampered import lower_first_threshold, tampered, with_other_c

from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware_sim import SimulateConfig, simulate


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
    with pytest.raises(QcsError, match=r"encoder\.tflite has 8 inputs and 5 outputs, tables\.npz 9 and 5"):
        simulate(wrong, SimulateConfig(vectors=100))
