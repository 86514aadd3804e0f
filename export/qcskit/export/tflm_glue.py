"""C++ glue for firmware that ships TensorFlow Lite Micro: interpreter, thresholds, packing behind qcs_codec_t."""

from importlib.resources import files
from string import Template

from qcskit.codec.integer import EncoderTables
from qcskit.codec.wide import WideTables
from qcskit.export.read_flatbuffer import read_operators

_RESOLVER = {"FULLY_CONNECTED": "AddFullyConnected", "TANH": "AddTanh"}


class _Text(Template):
    delimiter = "%%"


_INT8_INPUT = """\
  if (input_type == QCS_INPUT_INT8) {
    for (uint16_t i = 0; i < kInputs; i++)
      x[i] = static_cast<const int8_t *>(input)[i];
  } else {
    constexpr qcs_front_end_t kFrontEnd = {%%values};
    qcs_quantize(&kFrontEnd, kInputs, static_cast<const int16_t *>(input), x);
  }"""

_INT16_INPUT = """\
  (void)input_type;
  for (uint16_t i = 0; i < kInputs; i++) {
    const int32_t value = (int32_t(static_cast<const int16_t *>(input)[i]) - (%%offset)) * %%unit;
    x[i] = int16_t(value < INT16_MIN ? INT16_MIN : value > INT16_MAX ? INT16_MAX : value);
  }"""


def tflm_glue(name: str, tables: EncoderTables | WideTables, flatbuffer: bytes) -> str:
    """Return qcs_tflm_encoder.cc of a model."""
    codes = list(dict.fromkeys(op.name for op in read_operators(flatbuffer)))
    if isinstance(tables, WideTables):
        read = _Text(_INT16_INPUT).substitute(offset=tables.offset, unit=1 << tables.input_shift)
        taken, bits = "QCS_TAKES_INT16", "16"
    else:
        end = tables.front_end
        values = f"{end.multiplier}, {end.offset}, {end.shift}, {end.zero_point}"
        read, taken, bits = _Text(_INT8_INPUT).substitute(values=values), "QCS_TAKES_INT8 | QCS_TAKES_INT16", "8"
    text = (files("qcskit.export") / "templates" / "qcs_tflm_encoder.cc.in").read_text(encoding="utf-8")
    return _Text(text).substitute(
        name=name, NAME=name.upper(), model_id=tables.model_id,
        id_bytes=", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(tables.model_id)),
        read=read, taken=taken, type=f"int{bits}_t", data=f"{'int8' if bits == '8' else 'i16'}",
        operator_count=len(codes), add_operators="\n".join(f"  resolver.{_RESOLVER[code]}();" for code in codes),
    )  # fmt: skip
