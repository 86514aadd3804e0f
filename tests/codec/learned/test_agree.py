"""A flatbuffer that states another network than tables and manifest is refused, whatever part of it is another."""

from bisect import bisect_left
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.bundles import learned_bundle
from support.tflite import edited
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from qcskit.codec.errors import QcsError
from qcskit.codec.learned import agree


@pytest.fixture(scope="module", params=["tflm", "native", "tflm16"])
def codec(request, tmp_path_factory):
    return learned_bundle(tmp_path_factory.mktemp("agree") / "b", profile=request.param)


@pytest.fixture(scope="module", params=["relu", "hard_tanh"])
def clamped(request, tmp_path_factory):
    return learned_bundle(tmp_path_factory.mktemp("agree") / "b", activation=request.param)


def constant(model: Any, graph: Any, operator: int, place: int, by: int, at: int = 0) -> None:
    """Add to a byte of a constant of an operator."""
    buffer = model.buffers[graph.tensors[graph.operators[operator].inputs[place]].buffer]
    buffer.data = np.array(buffer.data, np.uint8)
    buffer.data[at] += by


def scale(graph: Any, tensor: int, factor: float) -> None:
    own = graph.tensors[tensor].quantization
    own.scale = np.asarray(own.scale, np.float32) * np.float32(factor)


def test_what_export_wrote_agrees(codec, clamped) -> None:
    for each in (codec, clamped):
        layers = agree.check_tables(each.bundle.read("encoder.tflite"), each.tables)
        agree.check_thresholds(layers[-1], each.tables, each.facts.thresholds, each.facts.profile == "native")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda model, graph: constant(model, graph, 0, 1, 1), "the weights of its layer 0"),
        (lambda model, graph: constant(model, graph, 2, 1, 1), "the weights of its layer 1"),
        (lambda model, graph: constant(model, graph, 0, 2, 1), "biases or scales of its layer 0"),
        (lambda model, graph: scale(graph, graph.operators[0].inputs[0], 2.0), "biases or scales of its layer 0"),
        (lambda model, graph: scale(graph, graph.operators[0].inputs[1], 1.5), "biases or scales of its layer 0"),
        (lambda model, graph: scale(graph, graph.operators[0].outputs[0], 1.1), "biases or scales of its layer 0"),
        (lambda model, graph: scale(graph, graph.operators[0].inputs[1], np.nan), "a scale that is not a positive"),
        (lambda model, graph: scale(graph, graph.operators[0].inputs[0], -1.0), "a scale that is not a positive"),
        (lambda model, graph: graph.operators.pop(1), "does not read the operator before it"),
        (lambda model, graph: graph.operators.__delitem__(slice(2, 4)), r"it has layers of \[20\] outputs"),
        (lambda model, graph: setattr(graph.operators[0], "inputs", graph.operators[0].inputs[:2]), "biases or scales"),
        (lambda model, graph: setattr(graph.operators[0], "inputs", graph.operators[0].inputs[[0, 1, 1]]), "not int32"),
    ],
)
def test_every_part_of_the_network_is_held_against_the_tables(codec, edit, message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        agree.check_tables(edited(codec.bundle.read("encoder.tflite"), edit), codec.tables)
    assert "\n" not in str(caught.value)


def test_a_hidden_layer_gives_what_the_flatbuffer_states(codec, clamped) -> None:
    for each in (codec, clamped):
        content, own = each.bundle.read("encoder.tflite"), each.tables.hidden[0]
        others = [replace(own, zero_point=own.zero_point + 1)] if "zero_point" in each.tables.layer_numbers else []
        for place in (0, 100, len(own.activation) - 2):
            table = own.activation.copy()
            table[place] += 3 if table[place] < 100 else -3
            others.append(replace(own, activation=table))
        for other in others:
            with pytest.raises(QcsError, match=r"zero point or activation of its layer 0 are not those of tables\.npz"):
                agree.check_tables(content, replace(each.tables, hidden=(other,)))


def test_the_grid_of_a_hidden_layer_is_that_of_the_tables(clamped) -> None:
    layer = agree.check_tables(clamped.bundle.read("encoder.tflite"), clamped.tables)[0]
    for by in (1, -1):
        moved = replace(layer.pre, zero_points=(layer.pre.zero_points[0] + by,))
        assert not agree.same_activation(
            replace(layer, pre=moved, result=moved), clamped.tables, clamped.tables.hidden[0]
        )


@pytest.mark.parametrize(
    "edit",
    [
        lambda model, graph: constant(model, graph, 2, 2, 1, at=3),
        lambda model, graph: scale(graph, graph.operators[2].inputs[1], 1.5),
    ],
)
def test_the_last_layer_is_held_against_the_thresholds(codec, edit) -> None:
    layers = agree.check_tables(edited(codec.bundle.read("encoder.tflite"), edit), codec.tables)
    with pytest.raises(QcsError, match=r"codec\.thresholds\[\d+\] of manifest\.json, .*, is not where output \d+ of"):
        agree.check_thresholds(layers[-1], codec.tables, codec.facts.thresholds, codec.facts.profile == "native")


@pytest.mark.parametrize("zero_point", [-100, 0, 100])
def test_the_thresholds_act_on_what_the_grid_of_the_output_holds(codec, zero_point: int) -> None:
    """Wherever its zero point is: a threshold below all of it is passed by every sum, one above it by none."""
    if codec.facts.profile == "native":
        return
    last = agree.check_tables(codec.bundle.read("encoder.tflite"), codec.tables)[-1]
    zero_point <<= last.bits - 8
    scale, half = last.pre.scales[0], 1 << last.bits - 1
    last = replace(last, pre=replace(last.pre, zero_points=(zero_point,)))
    grid = scale * (np.array([-half, 0, half - 1]) - zero_point)
    wanted = last.activation.apply(np.array([1.5 * grid[0], grid[0] / 2, grid[2] / 2, 1.5 * grid[2]]))
    passed = []
    for unit, bias, row in zip(last.unit, last.bias, last.weights.astype(int), strict=True):

        def output(acc: int, unit=unit, bias=bias):
            steps = np.rint(unit * (acc + bias) / scale).clip(-half - zero_point, half - 1 - zero_point)
            return last.activation.apply(steps * scale)

        sums = range(-half * int(abs(row).sum()), half * int(abs(row).sum()) + 1)
        passed.append([sums[0] + bisect_left(sums, threshold, key=output) for threshold in wanted])
    tables = replace(codec.tables, thresholds=np.array(passed, np.int32))
    agree.check_thresholds(last, tables, wanted.tolist(), exact=False)


def test_one_threshold_that_is_elsewhere_is_named(codec) -> None:
    layers = agree.check_tables(codec.bundle.read("encoder.tflite"), codec.tables)
    thresholds, step = codec.facts.thresholds, {"tflm": 0.1, "native": 1e-4, "tflm16": 0.002}[codec.facts.profile]
    for place in range(len(thresholds)):
        for by in (step, -step):
            moved = [value + (by if number == place else 0) for number, value in enumerate(thresholds)]
            with pytest.raises(QcsError, match=rf"codec\.thresholds\[{place}\] of manifest\.json"):
                agree.check_thresholds(layers[-1], codec.tables, moved, codec.facts.profile == "native")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda model, graph: constant(model, graph, 0, 0, 1), "its table is not codec.quantizer_levels"),
        (lambda model, graph: graph.operators.pop(0), "does not begin with GATHER"),
        (lambda model, graph: graph.operators.clear(), "does not begin with GATHER"),
        (
            lambda model, graph: graph.operators.__delitem__(slice(-2, None)),
            r"its output is FLOAT32 \(1, 60\)",
        ),
        (lambda model, graph: setattr(model.operatorCodes[0], "customCode", b"evil"), "CUSTOM 'evil' is not supported"),
    ],
)
def test_a_decoder_of_another_form(bundle_path, edit, message: str) -> None:
    content = (bundle_path / "decoder.tflite").read_bytes()
    table = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    graph = table.subgraphs[0]
    levels = np.asarray(table.buffers[graph.tensors[graph.operators[0].inputs[0]].buffer].data, np.uint8).view("<f4")
    agree.check_decoder(content, 10, 20, levels.tolist())
    with pytest.raises(QcsError, match=message):
        agree.check_decoder(edited(content, edit), 10, 20, levels.tolist())
    for outputs, width in ((9, 20), (10, 21)):
        with pytest.raises(QcsError, match="expected"):
            agree.check_decoder(content, outputs, width, levels.tolist())
