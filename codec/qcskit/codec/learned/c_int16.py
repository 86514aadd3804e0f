"""C text of an int16 encoder: one form of the tables, which every kernel of qcs_int16*.c reads."""

from qcskit.codec.learned.c_int8 import LAYER_TABLES, about, front_end_text, layers_text, model_members, plain_tables
from qcskit.codec.learned.int16 import Int16Tables
from qcskit.codec.text import CModel, c_struct, c_table


def c_model(name: str, tables: Int16Tables, kind: int) -> CModel:
    """Return the C text of a model."""
    return CModel(
        name, tables.model_id, about(tables, "int16"), "int16", kind, tables.inputs, tables.packing.packed_bytes,
        body=_body(tables), outputs=tables.outputs, levels=tables.levels, scratch=scratch_bytes(tables),
    )  # fmt: skip


def scratch_bytes(tables: Int16Tables) -> int:
    """Return the working memory of an encode: two halves of int16 activations."""
    return 4 * max(tables.widths[:-1])


def _body(tables: Int16Tables) -> str:
    """Return tables and model. Layers that share an activation share its table."""
    named, parts = {b"": "0"}, []
    layers: list[dict[str, object]] = []
    for number, layer in enumerate(tables.hidden):
        key = layer.activation.tobytes()
        if key not in named:
            named[key] = f"hidden{number}_activation"
            parts.append(c_table(named[key], layer.activation, "QCS_ROM"))
        layers.append({
            "inputs": layer.weights.shape[1], "outputs": layer.weights.shape[0], "low": layer.low, "high": layer.high,
            **{table: f"hidden{number}_{table}" for table in LAYER_TABLES}, "activation": named[key],
        })  # fmt: skip
    members = model_members(tables) | {
        "widest": max(tables.widths[:-1]), "weights": "weights", "thresholds": "thresholds",
    }  # fmt: skip
    model = f"static const qcs_int16_model_t model = {c_struct(members)};\n"
    return "\n".join(
        [*parts, *plain_tables(tables), layers_text("qcs_int16_layer_t", layers), front_end_text(tables), model]
    )
