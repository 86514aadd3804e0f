"""C text of an int8 encoder: its tables in every form of qcs_layout.h, of which the compiler takes one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.learned.chain import DenseChain
from qcskit.codec.learned.int8 import Int8Tables
from qcskit.codec.learned.kernels.dsp import dsp_layout
from qcskit.codec.learned.kernels.layout import Layout, LayoutError
from qcskit.codec.learned.kernels.mve import mve_layout
from qcskit.codec.learned.kernels.pair import pair_layout
from qcskit.codec.text import CModel, c_struct, c_table, id_bytes

FAST_LAYOUTS: dict[str, Callable[[Int8Tables], Layout]] = {
    "QCS_LAYOUT_DSP": dsp_layout,
    "QCS_LAYOUT_PAIR": pair_layout,
    "QCS_LAYOUT_MVE": mve_layout,
}
"""Macro of qcs_layout.h → what makes the tables of that form."""

AVR_TABLE_BYTES, AVR_ARRAY_BYTES = 60 * 1024, 32767
"""What an AVR build may hold: 16-bit pointers reach 64 KiB of flash, interrupt vectors and strings take their part; and
avr-gcc's largest array.
"""


def c_model(name: str, tables: Int8Tables, kind: int) -> CModel:
    """Return the C text of a model."""
    return CModel(
        name, tables.model_id, about(tables, "int8"), "int8", kind, tables.inputs, tables.packing.packed_bytes,
        body=_body(name, tables), outputs=tables.outputs, levels=tables.levels, takes_inputs=True,
        scratch=_scratch_macro(name, tables),
    )  # fmt: skip


def about(tables: DenseChain, arithmetic: str) -> str:
    """Return the line of the header that says what the encoder is."""
    widths, bits = "-".join(map(str, tables.widths)), tables.packing.packed_bits
    return f"EncNet {widths} with {arithmetic} activations, {tables.levels} levels, {bits} bits per vector."


def avr_error(tables: DenseChain) -> str:
    """Return the lines that stop an AVR build of a model whose tables, or the largest of them, it cannot hold."""
    largest = tables.largest_table_bytes
    if tables.table_bytes <= AVR_TABLE_BYTES and largest <= AVR_ARRAY_BYTES:
        return ""
    return (f'#ifdef __AVR__\n#error "{tables.table_bytes} bytes of tables, {largest} in one; AVR takes '
            f'{AVR_TABLE_BYTES} and {AVR_ARRAY_BYTES}: train a smaller EncNet"\n#endif\n')  # fmt: skip


def model_members(tables: DenseChain) -> dict[str, object]:
    """Return the members that the models of both arithmetics have."""
    symbols, bits = tables.packing.group
    return {
        "id": id_bytes(tables.model_id), "inputs": tables.inputs, "outputs": tables.outputs, "levels": tables.levels,
        "packed_bytes": tables.packing.packed_bytes, "group_symbols": symbols, "group_bits": bits,
        "hidden_count": len(tables.hidden), "hidden": "hidden" if tables.hidden else "0", "front_end": "front_end",
        "front_run": tables.inputs if len(tables.front_end.rows()) == 1 else 1,
    }  # fmt: skip


def front_end_text(tables: DenseChain) -> str:
    """Return the array of a model's front ends: one for all inputs, or one for each."""
    rows = tables.front_end.rows()
    texts = "".join(
        f"    {{.multiplier = {multiplier}, .offset = {offset}, .shift = {shift}, .zero_point = {zero}}},\n"
        for offset, multiplier, shift, zero in rows
    )
    return f"static const qcs_front_end_t front_end[{len(rows)}] = {{\n{texts}}};\n"


def plain_tables(tables: DenseChain) -> list[str]:
    """Return the tables in the order of qcs_layout.h's plain form, activations not among them."""
    parts = [avr_error(tables)]
    for number, layer in enumerate(tables.hidden):
        arrays: dict[str, NDArray[np.integer[Any]]] = {key: getattr(layer, key) for key in LAYER_TABLES}
        parts += [c_table(f"hidden{number}_{key}", value, "QCS_ROM") for key, value in arrays.items()]
    parts += [c_table("weights", tables.weights, "QCS_ROM"), c_table("thresholds", tables.thresholds, "QCS_ROM")]
    return [part for part in parts if part]


LAYER_TABLES = ("weights", "bias", "multiplier", "shift")


def layers_text(kind: str, layers: list[dict[str, object]]) -> str:
    """Return the array of a model's hidden layers."""
    if not layers:
        return ""
    texts = "".join(f"    {c_struct(layer, ' ' * 8)},\n" for layer in layers)
    return f"static const {kind} hidden[{len(layers)}] = {{\n{texts}}};\n"


def _body(name: str, tables: Int8Tables) -> str:
    forms = [c_table(f"hidden{n}_activation", layer.activation, "QCS_ROM") for n, layer in enumerate(tables.hidden)]
    forms.append("")
    for number, (macro, make) in enumerate(FAST_LAYOUTS.items()):
        forms.append(f"{'#elif' if number else '#if'} QCS_LAYOUT == {macro}\n")
        try:
            forms.append(_fast_form(tables, make(tables)))
        except LayoutError as error:
            forms.append(f'#error "model {name}: {error}; compile with -DQCS_PLAIN"\n')
    forms += ["#else\n", _plain_form(tables), "#endif\n"]
    forms.append(front_end_text(tables))
    members = model_members(tables) | {"widest": "WIDEST"}
    model = c_struct(members).removesuffix("}") + "    LAST_LAYER,\n}"
    return "\n".join([*forms, f"static const qcs_int8_model_t model = {model};\n"])


def _plain_form(tables: Int8Tables) -> str:
    layers = [{key: f"hidden{number}_{key}" for key in LAYER_TABLES} for number in range(len(tables.hidden))]
    last = ".weights = weights, .thresholds = thresholds"
    return _form(tables, max(tables.widths[:-1]), last, plain_tables(tables), layers)


def _fast_form(tables: Int8Tables, layout: Layout) -> str:
    parts = [c_table(f"hidden{number}_stream", words) for number, words in enumerate(layout.hidden)]
    parts.append(c_table("last_stream", layout.last))
    layers = [{"stream": f"hidden{number}_stream"} for number in range(len(layout.hidden))]
    return _form(tables, layout.widest, f".stream = last_stream, .pack = {_packer(tables)}", parts, layers)


def _form(tables: Int8Tables, widest: int, last: str, parts: list[str], own: list[dict[str, str]]) -> str:
    layers: list[dict[str, object]] = [
        {"inputs": layer.weights.shape[1], "outputs": layer.weights.shape[0],
         "activation": f"hidden{number}_activation", "zero_point": layer.zero_point, **own[number]}
        for number, layer in enumerate(tables.hidden)
    ]  # fmt: skip
    head = f"#define WIDEST {widest}\n#define LAST_LAYER {last}"
    return "\n".join([head, *parts, layers_text("qcs_int8_layer_t", layers)])


def _packer(tables: Int8Tables) -> str:
    """Return the smallest function of qcs_int8_pack.c that packs these indices."""
    symbols, bits = tables.packing.group
    if symbols > 1:
        return "qcs_int8_pack_groups"
    return "qcs_int8_pack_quads" if bits == 2 else "qcs_int8_pack_bits"


def _scratch_macro(name: str, tables: Int8Tables) -> str:
    """Return the definition of QCS_<NAME>_SCRATCH_BYTES for every form."""
    macro = f"#define QCS_{name.upper()}_SCRATCH_BYTES"
    lines: list[str] = []
    for layout, make in FAST_LAYOUTS.items():
        try:
            needed = make(tables).scratch_bytes
        except LayoutError:
            continue
        lines += [f"{'#elif' if lines else '#if'} QCS_LAYOUT == {layout}", f"{macro} {needed}"]
    plain = f"{macro} {2 * max(tables.widths[:-1])}"
    return "\n".join([*lines, "#else", plain, "#endif"]) if lines else plain
