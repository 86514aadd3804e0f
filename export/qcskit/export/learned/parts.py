"""A trained model in parts, as arrays: what is exported, whoever built it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Affine = tuple[Array, Array]
"""(a, c) of every entry: value ↦ a · value + c."""


@dataclass(frozen=True)
class Layer:
    """A Dense layer: weights (outputs, inputs), bias (outputs,), activation by Keras's name."""

    weights: Array
    bias: Array
    activation: str

    def after(self, affine: Affine) -> "Layer":
        """Return the layer that takes what an affine map in front of this one took."""
        a, c = affine
        return replace(self, weights=self.weights * a[None, :], bias=self.bias + self.weights @ c)

    def then(self, affine: Affine) -> "Layer":
        """Return the layer, linear so far, with an affine map behind it."""
        a, c = affine
        return replace(self, weights=self.weights * a[:, None], bias=self.bias * a + c)


@dataclass(frozen=True)
class ModelParts:
    """A model in parts. thresholds t (I−1), levels g (I). decoder: (frames, K) → (frames, N); None if there is none."""

    layers: tuple[Layer, ...]
    thresholds: Array
    levels: Array
    decoder: Any

    def taking(self, grid: tuple[float, float]) -> "ModelParts":
        """Return the model that takes y on another scale: what it took is offset + scale · that."""
        offset, scale = grid
        ones = np.ones(self.layers[0].weights.shape[1])
        return replace(self, layers=(self.layers[0].after((scale * ones, offset * ones)), *self.layers[1:]))
