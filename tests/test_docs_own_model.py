"""The script of docs/own_model.md with every kind of encoder that it promises; test_docs.py runs it as printed."""

import re
from pathlib import Path

import numpy as np
import pytest

from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.run import simulate

pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
PAGE = (Path(__file__).parents[1] / "docs" / "own_model.md").read_text(encoding="utf-8")
SMALLER = {
    "epochs=30": "epochs=1", "(6000, 3)": "(700, 3)", "x[:5000], x[5000:]": "x[:500], x[500:]",
    "finetune_steps=1000": "finetune_steps=20",
}  # fmt: skip
ENCODERS = {
    "relu, batch normalization, sigmoid, linear last": """
        layers.Dense(9), layers.BatchNormalization(), layers.ReLU(), layers.Dense(7, 'sigmoid'), layers.Dense(4),
        layers.Rescaling(2.0, 0.2)""",
    "nested, noise, flat, relu6, scaled between, one neuron, hard tanh": """
        layers.Reshape((8, 4)), scaled, layers.Flatten(),
        keras.Sequential([keras.Input((32,)), layers.GaussianNoise(0.1), layers.Dense(7), layers.ReLU(6.0)]),
        layers.Rescaling(0.3, 0.1), layers.Dense(1, 'tanh'), layers.Identity(), layers.Dense(3),
        layers.Activation('hard_tanh')""",
}


def block(language: str) -> str:
    """Return the page's first block of a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def smaller(script: str) -> str:
    for long, short in SMALLER.items():
        assert long in script
        script = script.replace(long, short)
    return script


@pytest.mark.parametrize("kind", ENCODERS)
def test_the_script_of_the_page_exports_every_kind_of_encoder(kind: str, tmp_path, monkeypatch, capfd) -> None:
    script = smaller(block("python"))
    assert len([line for line in script.splitlines() if line]) <= 25
    script = re.sub(r"^encoder = .*$", f"encoder = [{ENCODERS[kind]}]", script, flags=re.MULTILINE)
    script = script.replace("emu:cortex-m4", "emu:native")
    monkeypatch.chdir(tmp_path)
    space: dict = {}
    exec(compile(script, "own_model.md", "exec"), space)
    codec, packets, model, test = (space[name] for name in ("codec", "packets", "model", "test"))
    assert codec.bundle.manifest.nmse.frames == 200
    assert not packets.differ(codec.encode_counts(codec.sense(test))).any()
    verdict = simulate(codec.bundle, SimulateConfig(vectors=300, oracle_vectors=300, processes=1))
    assert verdict.passed, verdict
    assert {facts.name for facts in verdict.implementations} >= {"c-host", "tflm"}
    # The float model itself, with the hard quantizer, gives nearly the same.
    (shq,) = (layer for layer in model._flatten_layers() if type(layer).__name__ == "SHQ")
    shq.hard_forward = True
    energy = ((test - test.mean()) ** 2).sum()
    float_db = 10 * np.log10(((model(test).numpy() - test) ** 2).sum() / energy)
    assert codec.bundle.manifest.nmse.float_db == pytest.approx(float_db, abs=0.1)
