"""C++ glue for firmware that ships TensorFlow Lite Micro: interpreter, thresholds, packing behind qcs_codec_t."""

from importlib.resources import files
from string import Template

from qcskit.codec.integer import EncoderTables
from qcskit.export.read_flatbuffer import read_operators

_RESOLVER = {"FULLY_CONNECTED": "AddFullyConnected", "TANH": "AddTanh"}


class _Text(Template):
    delimiter = "%%"


def tflm_glue(name: str, tables: EncoderTables, flatbuffer: bytes) -> str:
    """Return qcs_tflm_encoder.cc of a model."""
    codes = list(dict.fromkeys(op.name for op in read_operators(flatbuffer)))
    end = tables.front_end
    text = (files("qcskit.export") / "templates" / "qcs_tflm_encoder.cc.in").read_text(encoding="utf-8")
    return _Text(text).substitute(
        name=name, NAME=name.upper(), model_id=tables.model_id,
        id_bytes=", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(tables.model_id)),
        front_end=f"{end.multiplier}, {end.offset}, {end.shift}, {end.zero_point}",
        operator_count=len(codes), add_operators="\n".join(f"  resolver.{_RESOLVER[code]}();" for code in codes),
    )  # fmt: skip
