"""A Keras model with an SHQ layer, whoever built it → encoder as arrays, hard quantizer, decoder as a Keras model.

What stands before the SHQ layer is the encoder: a chain of Dense layers and activations, into which scaling layers are
folded. What follows is the decoder: any graph that needs nothing but the levels.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.export.learned.parts import Affine, Array, Layer, ModelParts
from qcskit.training.shq import SHQ

_NOTHING = (
    keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.GaussianNoise, keras.layers.AlphaDropout,
    keras.layers.ActivityRegularization, keras.layers.Identity,
)  # fmt: skip
"""What does nothing once a model is trained."""
_OPERATIONS = {"Tanh": "tanh", "HardTanh": "hard_tanh", "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid"}
"""Functions of keras.ops that are activations."""
_PRECISIONS = ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")
_CAN = ("an encoder consists of Dense layers with the activations " + ", ".join(ACTIVATIONS) + "; Dropout, Flatten and "
        "Reshape, and BatchNormalization, Normalization and Rescaling, which are folded")  # fmt: skip


def read_keras_model(model: Any, where: str) -> ModelParts:
    """Return the parts of a model. where: what messages call it.

    Raises QcsError of one line that names what cannot be exported, and what would do.
    """
    model = _in_float32(model, _find_shq(model, where))
    shq = _find_shq(model, where)
    chain, tails = _split(model, shq, where)
    layers, affine = _Encoder(where).read(chain)
    thresholds, levels = shq.quantizer()
    if affine is not None:
        thresholds = _thresholds_before(affine, thresholds, where)
    return ModelParts(tuple(layers), thresholds, levels, _joined(tails, len(layers[-1].bias), where))


def _in_float32(model: Any, shq: SHQ) -> Any:
    """Return the model, or, if it computes in another precision, one of the same weights that computes in float32."""
    if all(layer.dtype_policy.name == "float32" for layer in model._flatten_layers()):
        return model
    steepness = float(shq.steepness.numpy())
    made = keras.saving.deserialize_keras_object(_float32(keras.saving.serialize_keras_object(model)))
    made.set_weights(model.get_weights())
    assert float(_find_shq(made, "it").steepness.numpy()) == steepness
    return made


def _float32(config: Any) -> Any:
    """Return a serialized model with every precision replaced."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return "float32"
        return {key: "float32" if key == "dtype" and value in _PRECISIONS else _float32(value)
                for key, value in config.items()}  # fmt: skip
    return [_float32(value) for value in config] if isinstance(config, list | tuple) else config


def _find_shq(model: Any, where: str) -> SHQ:
    if not isinstance(model, keras.Model):
        raise QcsError(f"{where} is no Keras model but a {type(model).__name__}")
    found = [layer for layer in model._flatten_layers() if isinstance(layer, SHQ)]
    if len(found) != 1:
        count = f"{len(found)} SHQ layers" if found else "no SHQ layer"
        raise QcsError(f"{where} has {count}: put one (qcskit.training.SHQ) between encoder and decoder")
    if found[0].per_output:
        raise QcsError(f"{where}: its SHQ layer has a quantizer per output; export needs one for all (per_output = "
                       "False, train.quantizer = shared)")  # fmt: skip
    if not found[0].built:
        raise QcsError(f"{where} is not built: call it once, or give it an Input, and train it")
    return found[0]


def _graph(model: Any, where: str) -> Any:
    """Return the graph of a Functional or Sequential model."""
    graph = getattr(model, "_functional", model) if isinstance(model, keras.Sequential) else model
    if not isinstance(graph, keras.src.models.functional.Functional):
        raise QcsError(f"{where}: '{model.name}' is a subclassed model, whose layers cannot be read in order: build "
                       "the same layers as a Sequential or Functional model and take over the weights")  # fmt: skip
    return graph


def _split(model: Any, shq: SHQ, where: str) -> tuple[list[Any], list[Any]]:
    """Return the operations in front of the SHQ layer, in order, and the models behind it; nested models opened."""
    graph = _graph(model, where)
    nodes = [node for node in _nodes(graph) if node.operation is shq or _holds(node.operation, shq)]
    if len(nodes) != 1:
        raise QcsError(f"{where}: the SHQ layer is called {len(nodes)} times, expected once")
    if len(graph.outputs) != 1:
        raise QcsError(f"{where} has {len(graph.outputs)} outputs, expected one, x_hat: export a model of what counts")
    chain, (end,) = _before(nodes[0], where), nodes[0].output_tensors
    tails = [] if graph.outputs[0] is end else [_behind(end, graph, where)]
    if nodes[0].operation is shq:
        return chain, tails
    inner, first = _split(nodes[0].operation, shq, where)
    return chain + inner, first + tails


def _nodes(graph: Any) -> list[Any]:
    return [node for level in graph._nodes_by_depth.values() for node in level]


def _holds(operation: Any, shq: SHQ) -> bool:
    return isinstance(operation, keras.Model) and any(layer is shq for layer in operation._flatten_layers())


def _before(node: Any, where: str) -> list[Any]:
    """Return the operations from a model's input to a node."""
    chain: list[Any] = []
    while not node.is_input:
        if len(node.parent_nodes) != 1:
            raise QcsError(f"{where}: '{node.operation.name}' takes {len(node.parent_nodes)} inputs: the encoder must "
                           "be one chain of layers from one input")  # fmt: skip
        node = node.parent_nodes[0]
        chain.append(node.operation)
    return chain[::-1]


def _behind(tensor: Any, graph: Any, where: str) -> Any:
    try:
        # Named, so that the same model gives the same bytes.
        return keras.Model(tensor, graph.outputs[0], name=f"behind_{graph.name}")
    except ValueError:
        raise QcsError(f"{where}: what follows the SHQ layer needs more than its output, such as y itself; a receiver "
                       "has nothing but the levels") from None  # fmt: skip


def _joined(tails: list[Any], outputs: int, where: str) -> Any:
    """Return one model of the models behind the quantizer, with rows of numbers out; None if there are none."""
    if not tails:
        return None
    start = keras.Input((outputs,), name="levels", dtype="float32")
    value = start
    for tail in tails:
        value = tail(value)
    if any(size is None for size in value.shape[1:]):
        raise QcsError(f"{where}: the decoder's output has the shape {value.shape}, expected a fixed number of entries")
    value = keras.layers.Flatten(name="flat", dtype="float32")(value) if len(value.shape) > 2 else value
    return keras.Model(start, value, name="decoder")


def _thresholds_before(affine: Affine, thresholds: Array, where: str) -> Array:
    """Return the thresholds in front of an affine map."""
    a, c = (np.unique(part) for part in affine)
    if len(a) > 1 or len(c) > 1 or a[0] <= 0:
        raise QcsError(f"{where}: between the last activation and the SHQ layer every output is scaled in its own way, "
                       "or turned round; put the scaling before the activation")  # fmt: skip
    return (thresholds - c[0]) / a[0]


class _Encoder:
    """Reads a chain of operations into layers."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.layers: list[Layer] = []
        self.shape: tuple[int, ...] = ()
        self.affine: Affine | None = None
        """Pending: for the next Dense layer."""
        self.open = False
        """Whether the last layer is linear, so that more can be folded into it."""

    def read(self, chain: list[Any]) -> tuple[list[Layer], Affine | None]:
        """Return the layers, and an affine map behind them."""
        for operation in _opened(chain):
            self._take(operation)
        if not self.layers:
            raise QcsError(f"{self.where} has no Dense layer before the SHQ layer: there is no encoder to export")
        if len(self.shape) != 1:
            raise QcsError(f"{self.where}: the SHQ layer sees outputs of shape {self.shape}, expected one row: Flatten "
                           "them first")  # fmt: skip
        return self.layers, self.affine

    def _take(self, operation: Any) -> None:
        if isinstance(operation, keras.layers.InputLayer):
            self._take_input(operation)
        elif isinstance(operation, keras.layers.Dense):
            self._take_dense(operation)
        elif isinstance(operation, (keras.layers.Flatten, keras.layers.Reshape)):
            self.shape = tuple(operation.compute_output_shape((None, *self.shape))[1:])
        elif isinstance(operation, _NOTHING):
            pass
        elif (affine := _affine_of(operation)) is not None:
            self._take_affine(affine, operation)
        else:
            self._take_activation(_activation_of(operation), operation)

    def _take_input(self, operation: Any) -> None:
        if self.shape:  # of a nested model
            return
        self.shape = tuple(operation.batch_shape[1:])
        if None in self.shape or not self.shape:
            raise QcsError(f"{self.where}: its input has the shape {operation.batch_shape}; an encoder has a fixed "
                           "number of inputs")  # fmt: skip

    def _take_dense(self, operation: Any) -> None:
        if len(self.shape) != 1:
            raise self._refused(operation, f"it is applied along an input of shape {self.shape}: Flatten it first")
        if getattr(operation, "quantization_mode", None):
            raise self._refused(operation, "it is quantized already: export the float model")
        weights = np.asarray(operation.kernel, np.float64).T
        bias = np.asarray(operation.bias, np.float64) if operation.use_bias else np.zeros(len(weights))
        layer = Layer(weights, bias, "linear")
        self.layers.append(layer.after(self.affine) if self.affine else layer)
        self.affine, self.open, self.shape = None, True, (len(bias),)
        name = getattr(operation.activation, "__name__", type(operation.activation).__name__)
        if name != "linear":
            self._take_activation(name, operation)

    def _take_activation(self, name: str | None, operation: Any) -> None:
        if name not in ACTIVATIONS:
            what = f"the activation '{name}'" if name else "this layer"
            raise self._refused(operation, f"the integer encoder does not compute {what}; {_CAN}")
        if not self.open:
            raise self._refused(operation, "an activation needs a Dense layer of its own in front of it")
        self.layers[-1] = replace(self.layers[-1], activation=name)
        self.open = name == "linear"

    def _take_affine(self, affine: Affine, operation: Any) -> None:
        try:
            a, c = (np.broadcast_to(part, self.shape).ravel() for part in affine)
        except ValueError:
            raise self._refused(operation, f"it does not fit an input of shape {self.shape}") from None
        if not (np.isfinite(a).all() and np.isfinite(c).all()):
            raise self._refused(operation, "it holds NaN or infinity: has it seen data?")
        if self.open:
            self.layers[-1] = self.layers[-1].then((a, c))
        else:
            before = self.affine or (np.ones_like(a), np.zeros_like(c))
            self.affine = (a * before[0], a * before[1] + c)

    def _refused(self, operation: Any, why: str) -> QcsError:
        kind = type(operation).__name__
        return QcsError(f"{self.where}: layer '{operation.name}' ({kind}) cannot be exported: {why}")


def _opened(chain: list[Any]) -> Iterator[Any]:
    """Yield the operations of a chain, those of models in it too."""
    for operation in chain:
        if isinstance(operation, keras.Model):
            graph = _graph(operation, f"model '{operation.name}'")
            (end,) = (node for node in _nodes(graph) if any(t is graph.outputs[0] for t in node.output_tensors))
            yield from _opened([*_before(end, f"model '{operation.name}'"), end.operation])
        else:
            yield operation


def _activation_of(operation: Any) -> str | None:
    """Return the activation that an operation is, by Keras's name; None if it is none that has a name."""
    if isinstance(operation, keras.layers.Activation):
        return str(getattr(operation.activation, "__name__", type(operation.activation).__name__))
    if isinstance(operation, keras.layers.ReLU) and not operation.negative_slope and not operation.threshold:
        return {None: "relu", 6.0: "relu6"}.get(operation.max_value)
    return None if isinstance(operation, keras.layers.Layer) else _OPERATIONS.get(type(operation).__name__)


def _affine_of(operation: Any) -> Affine | None:
    """Return (a, c) of a layer that scales and shifts, to be broadcast over its input; None if it does more."""
    if isinstance(operation, keras.layers.Rescaling):
        return np.asarray(operation.scale, np.float64), np.asarray(operation.offset, np.float64)
    if isinstance(operation, keras.layers.Normalization) and not operation.invert:
        mean, variance = (np.asarray(part, np.float64) for part in (operation.mean, operation.variance))
        a = 1.0 / np.maximum(np.sqrt(variance), keras.config.epsilon())
        return a[0], (-mean * a)[0]
    if isinstance(operation, keras.layers.BatchNormalization):
        mean, variance = (np.asarray(part, np.float64) for part in (operation.moving_mean, operation.moving_variance))
        gamma = np.asarray(operation.gamma, np.float64) if operation.scale else np.ones_like(mean)
        beta = np.asarray(operation.beta, np.float64) if operation.center else np.zeros_like(mean)
        a = gamma / np.sqrt(variance + operation.epsilon)
        ndim = operation.input_spec.ndim
        along = (-1, *[1] * (ndim - 1 - operation.axis % ndim))  # its axis, then those behind it
        return a.reshape(along), (beta - mean * a).reshape(along)
    return None
