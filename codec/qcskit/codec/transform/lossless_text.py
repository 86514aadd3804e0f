"""C text of a lossless codec: its weights in the form that firmware/src/qcs_lossless.c reads."""

import numpy as np

from qcskit.codec.text import CModel, c_struct, c_table, id_bytes
from qcskit.codec.text import c_files as frame
from qcskit.codec.transform.lossless import LosslessTables


def c_files(
    name: str, model_id: str, tables: LosslessTables, windows: int, about: str, kind: int, sensor: str = ""
) -> dict[str, str]:
    """Return qcs_model_<name>.h and .c. about: one line. kind: number of the family. sensor: lines of the header."""
    oldest_first = tables.weights[::-1]
    weights = np.concatenate([np.zeros(len(oldest_first) % 2, np.int16), oldest_first])
    members = {
        "id": id_bytes(model_id), "inputs": tables.inputs, "room": tables.room, "start": tables.start,
        "centre": tables.centre, "low": tables.low, "bits": tables.bits, "first": tables.first,
        "order": len(weights), "weights": "weights", **({"close": "qcs_transform_crc"} if tables.crc else {}),
    }  # fmt: skip
    body = (
        f"{c_table('weights', weights, 'QCS_ROM')}\n\nstatic const qcs_lossless_model_t model = {c_struct(members)};\n"
    )
    return frame(CModel(
        name, model_id, about, "lossless", kind, tables.inputs, tables.packed_bytes_max, body, windows=windows,
    ), sensor)  # fmt: skip
