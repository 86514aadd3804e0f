"""A learned bundle whose manifest, tables and flatbuffer contradict each other is refused by name; its oracles."""

from dataclasses import replace

import numpy as np
import pytest
from support.bundles import learned_bundle
from support.tables import edge_distances
from support.tflite import edited, frames, read

from qcskit.codec.bundle import Bundle
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.errors import QcsError
from qcskit.export.learned.tflite_model import export_tflite


@pytest.fixture(scope="module")
def codecs_by_profile(tmp_path_factory):
    root = tmp_path_factory.mktemp("b")
    return {name: learned_bundle(root / name, profile=name) for name in ("tflm", "native", "tflm16")}


def changed(bundle: Bundle, **facts) -> Bundle:
    manifest = bundle.manifest
    return replace(bundle, manifest=manifest.model_copy(update={"codec": manifest.codec.model_copy(update=facts)}))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"levels": 9}, "codec.levels is 9, tables.npz gives 8"),
        ({"widths": [10, 21, 10]}, r"codec.widths is \(10, 21, 10\), tables.npz gives"),
        ({"thresholds": [0.0] * 6}, "number of codec.thresholds is 6, tables.npz gives 7"),
        ({"thresholds": [1.0, 0, 0, 0, 0, 0, 0]}, "in ascending order"),
        ({"profile": "tflm16"}, "int8 does not go with profile tflm16"),
        ({"input_grid": None}, "int8 does not go with profile tflm"),
        ({"arithmetic": "int16"}, r"tables\.npz"),
    ],
)
def test_facts_that_contradict_the_tables(codecs_by_profile, facts, message) -> None:
    with pytest.raises(QcsError, match=message):
        load_codec(changed(codecs_by_profile["tflm"].bundle, **facts))


def test_an_adc_that_does_not_give_the_front_end(codecs_by_profile) -> None:
    bundle = codecs_by_profile["tflm"].bundle
    for update in ({"units_per_count": 0.01}, {"bits": 16, "units_per_count": 0.1}):
        manifest = bundle.manifest.model_copy(update={"adc": bundle.manifest.adc.model_copy(update=update)})
        with pytest.raises(QcsError, match="do not give the front end"):
            load_codec(replace(bundle, manifest=manifest))


def test_a_flatbuffer_of_other_widths(codecs_by_profile, tmp_path) -> None:
    other = learned_bundle(tmp_path / "b", widths=(8, 20, 5)).bundle.read("encoder.tflite")
    bundle = codecs_by_profile["tflm"].bundle
    content = {name: bundle.read(name) for name in bundle.manifest.files} | {"encoder.tflite": other}
    with pytest.raises(QcsError, match=r"encoder\.tflite: it has layers of \[20, 5\] outputs, tables\.npz \[20, 10\]"):
        load_codec(replace(bundle, content=content))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 11), "it has 11 inputs and 10 outputs, tables.npz 10 and 10"),
        ((2, 10), r"its input is int8 \(2, 10\), expected int8 \(1, n\)"),
        ((10,), r"its input is int8 \(10,\), expected int8 \(1, n\)"),
    ],
)
def test_a_flatbuffer_of_another_input_is_refused_by_the_oracle(codecs_by_profile, shape, message: str) -> None:
    """Weights and grids are those of the tables: only the runtime takes the shape of the input for what it is."""
    bundle = codecs_by_profile["tflm"].bundle

    def edit(model, graph) -> None:
        graph.tensors[graph.inputs[0]].shape = np.array(shape, np.int32)

    content = {**bundle.content, "encoder.tflite": edited(bundle.read("encoder.tflite"), edit)}
    with pytest.raises(QcsError, match=rf"encoder\.tflite: .*{message}; run 'qcskit export' again$"):
        load_codec(replace(bundle, content=content)).oracles()


def test_every_profile_has_its_oracles(codecs_by_profile) -> None:
    named = {name: [(o.name, o.role) for o in codec.oracles()] for name, codec in codecs_by_profile.items()}
    assert named == {
        "tflm": [("tflm", "oracle"), ("litert", "reported")],
        "native": [("tflm hidden + float64", "oracle")],
        "tflm16": [("tflm", "oracle")],
    }
    assert [codec.takes_inputs for codec in codecs_by_profile.values()] == [True, True, False]


def test_edges_are_on_every_threshold_and_one_below(codecs_by_profile) -> None:
    for name, codec in codecs_by_profile.items():
        counts = np.concatenate([codec.edges(2000, np.random.default_rng(seed)) for seed in range(5)])
        far = edge_distances(codec.tables, counts)
        uniform = np.random.default_rng(3).integers(-2000, 2000, counts.shape).astype(np.int16)
        if name == "tflm16":  # accumulators of 30 bits: close to all, on some
            assert np.median(far) < np.median(edge_distances(codec.tables, uniform)) / 20
        else:
            assert (far == 0).mean() > 0.9


def test_words_of_a_trained_bundle(bundle_path) -> None:
    rows = open_codec(bundle_path).describe()
    assert rows["encoder"] == "EncNet 10-50-10, tanh, 8 levels per output"
    assert rows["arithmetic"].startswith("int8, profile tflm")
    assert "variant deepqcs-q" in rows["trained"]


@pytest.fixture(scope="module")
def asymmetric(tmp_path_factory):
    """An input grid whose zero point is −58: −1.9 … 5.1."""
    return export_tflite(read("float_ends"), frames(), out=tmp_path_factory.mktemp("b") / "b", levels=8)


def test_edges_reach_both_ends_of_an_input_grid_about_its_middle(asymmetric, codecs_by_profile) -> None:
    for codec in (asymmetric, codecs_by_profile["tflm"]):
        inputs = codec.network_input(codec.edges(400, np.random.default_rng(3)))
        assert inputs.min() < -110
        assert inputs.max() > 110
        assert abs(float(np.median(inputs))) < 15  # pools of ever smaller scale about the middle


def test_a_zero_point_that_the_tables_do_not_have(asymmetric) -> None:
    grid = asymmetric.facts.input_grid.model_copy(update={"zero_point": -57})
    with pytest.raises(QcsError, match="do not give the front end"):
        load_codec(changed(asymmetric.bundle, input_grid=grid))


def test_describe_names_every_activation_and_what_an_asymmetric_input_covers(asymmetric, codecs_by_profile) -> None:
    rows, symmetric = asymmetric.describe(), codecs_by_profile["tflm"].describe()
    assert rows["encoder"] == "EncNet 7-9-6-5, relu-tanh-sigmoid, 8 levels per output"
    assert rows["input covers"] == "-1.912 … 5.053 from ADC count 0"
    assert "10-20-10, tanh, 8" in symmetric["encoder"]
    assert symmetric["input covers"] == "± 2 about ADC count 3"
