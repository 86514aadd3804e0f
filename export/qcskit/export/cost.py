"""What a bundle's encoder needs on a device, as far as its tables alone tell."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.config import Table
from qcskit.codec.integer import DenseChain, EncoderTables
from qcskit.codec.wide import WideTables


class TableCost(Table):
    """Bytes and operations of one encoder, the same on every core.

    table_bytes: constant tables, structs not counted. scratch_bytes, io_bytes: the caller's working memory, and one
    vector of counts plus its packed bytes.
    """

    macs: int
    weights: int
    table_bytes: int
    scratch_bytes: int
    io_bytes: int
    packed_bytes: int


def table_cost(tables: EncoderTables) -> TableCost:
    """Return the cost of an int8 encoder's tables."""
    return _cost(tables, [layer.activation for layer in tables.hidden], 1)


def wide_cost(tables: WideTables) -> TableCost:
    """Return the cost of a wide encoder's tables: layers share activations."""
    shared = {layer.activation.tobytes(): layer.activation for layer in tables.hidden}
    return _cost(tables, list(shared.values()), 2)


def _cost(tables: DenseChain, activations: list[NDArray[Any]], activation_bytes: int) -> TableCost:
    arrays: list[NDArray[Any]] = [tables.weights, tables.thresholds, *activations]
    for layer in tables.hidden:
        arrays += [layer.weights, layer.bias, layer.multiplier, layer.shift]
    packed = tables.packing.packed_bytes
    return TableCost(
        macs=tables.macs,
        weights=tables.macs,  # dense layers: every weight is used once
        table_bytes=int(np.sum([array.nbytes for array in arrays])),
        scratch_bytes=2 * activation_bytes * max(tables.widths[:-1]),
        io_bytes=2 * tables.inputs + packed,
        packed_bytes=packed,
    )
