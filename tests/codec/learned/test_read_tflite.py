"""A `.tflite` that is not ours is one clear line: unsupported operator, float model, truncated, random, hostile."""

import contextlib

import numpy as np
import pytest
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.read_tflite import check_encoder, read_operators
from qcskit.export.learned.flatbuffer import DenseOp, _Graph, encoder_flatbuffer


@pytest.fixture(scope="module")
def encoder(bundle_path) -> bytes:
    return (bundle_path / "encoder.tflite").read_bytes()


def dense(outputs: int, inputs: int) -> DenseOp:
    return DenseOp(np.ones((outputs, inputs), np.int8), np.full(outputs, 0.01, np.float32),
                     np.zeros(outputs, np.int32), np.float32(0.02), 0, np.float32(0.03))  # fmt: skip


def one_operator(code: int, kind: int) -> bytes:
    graph = _Graph()
    source, result = graph.tensor("x", (1, 4), kind, 0.1, 0), graph.tensor("y", (1, 4), kind, 0.1, 0)
    graph.operator(code, (source,), result)
    return graph.finish(source, result, "foreign")


def test_our_own_encoder_is_accepted(encoder) -> None:
    names = [op.name for op in check_encoder(encoder)]
    assert names == ["FULLY_CONNECTED", "TANH"] * 2
    assert len(check_encoder(encoder_flatbuffer([dense(3, 4)], "one"))) == 2


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (schema.BuiltinOperator.SOFTMAX, schema.TensorType.INT8, "operator 0 SOFTMAX is not supported"),
        (schema.BuiltinOperator.TANH, schema.TensorType.FLOAT32, "'x' is FLOAT32: this is a float model"),
        (schema.BuiltinOperator.TANH, schema.TensorType.UINT8, "'x' is UINT8, expected INT8 or INT16"),
    ],
)
def test_a_foreign_model_is_named_by_its_operator_or_tensor(code, kind, message) -> None:
    with pytest.raises(QcsError, match=message):
        check_encoder(one_operator(code, kind))


def test_activations_of_two_types_are_refused() -> None:
    graph = _Graph()
    source = graph.tensor("x", (1, 4), schema.TensorType.INT16, 1 / 4096, 0)
    result = graph.tensor("y", (1, 4), schema.TensorType.INT8, 1 / 128, 0)
    graph.operator(schema.BuiltinOperator.TANH, (source,), result)
    with pytest.raises(QcsError, match="operator 0 TANH: tensor 'y' is INT8, the network's input INT16"):
        check_encoder(graph.finish(source, result, "mixed"))


def test_the_float_decoder_of_a_bundle_is_refused(bundle_path) -> None:
    with pytest.raises(QcsError, match="operator 0 GATHER is not supported"):
        check_encoder((bundle_path / "decoder.tflite").read_bytes())


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(200)), b"PK\x03\x04 a zip archive"])
def test_other_files_are_no_flatbuffer(content) -> None:
    with pytest.raises(QcsError, match="not a TensorFlow Lite flatbuffer"):
        read_operators(content)


def test_every_truncation_is_noticed(encoder) -> None:
    for length in range(8, len(encoder) - 1, 37):
        with pytest.raises(QcsError, match="truncated or damaged"):
            read_operators(encoder[:length])


def test_damaged_bytes_raise_nothing_but_the_clear_line(encoder) -> None:
    rng = np.random.default_rng(0)
    for _ in range(1500):
        damaged = bytearray(encoder)
        for place in rng.integers(0, 900, rng.integers(1, 9)):
            damaged[place] = rng.integers(256)
        with contextlib.suppress(QcsError):  # a flipped weight may go unnoticed; anything but QcsError fails
            check_encoder(bytes(damaged))


def test_names_of_the_file_stay_on_one_line() -> None:
    graph = _Graph()
    source = graph.tensor("x\n\x1b[31m" + "y" * 500, (1, 4), schema.TensorType.FLOAT32, 1 / 128, 0)
    result = graph.tensor("y", (1, 4), schema.TensorType.INT8, 1 / 128, 0)
    graph.operator(schema.BuiltinOperator.TANH, (source,), result)
    with pytest.raises(QcsError, match=r"tensor 'x\\n\\x1b\[31myyy") as caught:
        check_encoder(graph.finish(source, result, "named"))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def test_a_constant_without_entries_holds_no_bytes() -> None:
    graph = _Graph()
    source = graph.tensor("x", (1, 4), schema.TensorType.INT8, 1 / 128, 0)
    weights = graph.tensor("w", (10, 0), schema.TensorType.INT8, 1 / 128, 0, np.zeros(20, np.int8))
    result = graph.tensor("y", (1, 10), schema.TensorType.INT8, 1 / 128, 0)
    graph.operator(schema.BuiltinOperator.FULLY_CONNECTED, (source, weights), result)
    with pytest.raises(QcsError, match="tensor 'w' has 20 bytes, its shape needs 0"):
        check_encoder(graph.finish(source, result, "empty"))
