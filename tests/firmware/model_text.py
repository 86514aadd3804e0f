"""C text of random encoder tables, for tests that need a firmware: not a test itself, nor the product's exporter."""

from pathlib import Path

import numpy as np

from qcskit.codec.integer import EncoderTables

_TYPES = {np.dtype(np.int8): "int8_t", np.dtype(np.int32): "int32_t"}


def _table(name: str, values: np.ndarray) -> str:
    text = ", ".join("(-2147483647 - 1)" if v == -(2**31) else str(int(v)) for v in values.ravel())
    return f"static const {_TYPES[values.dtype]} {name}[{values.size}] QCS_ROM = {{{text}}};\n"


def write_model(c_dir: Path, name: str, tables: EncoderTables) -> None:
    """Write qcs_model_<name>.h and .c, after the contract in qcs_codec.h."""
    c_dir.mkdir(parents=True, exist_ok=True)
    big, widest = name.upper(), max(tables.widths[:-1])
    symbols, bits = tables.packing.group
    header = f"""#include "qcs_codec.h"
#define QCS_{big}_INPUTS {tables.inputs}
#define QCS_{big}_OUTPUTS {tables.outputs}
#define QCS_{big}_LEVELS {tables.levels}
#define QCS_{big}_PACKED_BYTES {tables.packing.packed_bytes}
#define QCS_{big}_SCRATCH_BYTES {2 * widest}
extern const qcs_model_t qcs_model_{name};
extern const qcs_codec_t qcs_codec_{name};
"""
    text = f'#include "qcs_model_{name}.h"\n#include "qcs_rom.h"\n'
    layers = []
    for i, layer in enumerate(tables.hidden):
        fields = ("weights", "bias", "multiplier", "shift", "activation")
        text += "".join(_table(f"h{i}_{field}", getattr(layer, field)) for field in fields)
        outputs, inputs = layer.weights.shape
        layers.append(f"{{{inputs}, {outputs}, {', '.join(f'h{i}_{f}' for f in fields)}, {layer.zero_point}}}")
    text += _table("last_weights", tables.weights) + _table("last_thresholds", tables.thresholds)
    if layers:
        text += f"static const qcs_dense_t layers[{len(layers)}] = {{{', '.join(layers)}}};\n"
    end = tables.front_end
    ident = ", ".join(str(b) for b in bytes.fromhex(tables.model_id))
    text += f"""const qcs_model_t qcs_model_{name} = {{
  {{{ident}}}, {tables.inputs}, {tables.outputs}, {tables.levels}, {widest}, {tables.packing.packed_bytes},
  {symbols}, {bits}, {len(layers)}, {"layers" if layers else "0"}, last_weights, last_thresholds,
  {{{end.multiplier}, {end.offset}, {end.shift}, {end.zero_point}}}}};
const qcs_codec_t qcs_codec_{name} = QCS_CODEC_DEEPQCS(qcs_model_{name}, {big});
"""
    (c_dir / f"qcs_model_{name}.h").write_text(header)
    (c_dir / f"qcs_model_{name}.c").write_text(text)
