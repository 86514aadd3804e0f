"""C text of a lossy transform codec: tables in the form that firmware/src/qcs_transform*.c reads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.text import CModel, c_struct, c_table, id_bytes
from qcskit.codec.text import c_files as frame
from qcskit.codec.transform.tables import MOST_QUALITY, Tables

_NEVER = 2**31
"""No sum reaches it."""
_MOST_MAGNITUDE = 2**20 - 1
_MOST_SCRATCH = 65535
"""scratch_bytes of qcs_codec_t."""


def c_files(name: str, model_id: str, tables: Tables, about: str, kind: int, sensor: str = "") -> dict[str, str]:
    """Return qcs_model_<name>.h and .c. about: one line. kind: number of the family. sensor: lines of the header.

    Raises QcsError if the device's working memory would be too large.
    """
    arrays = _arrays(tables)
    text = "\n".join(c_table(word, values, "QCS_ROM") for word, values in arrays.items())
    members = c_struct(_members(tables, model_id, arrays))
    scratch = 4 * (tables.samples + tables.rows * (tables.windows if tables.max_bytes else 1))
    if scratch > _MOST_SCRATCH:
        raise QcsError(f"transform: {tables.windows} windows with max_bytes take {scratch:,} bytes of scratch on the "
                       f"device, at most {_MOST_SCRATCH:,} go; lower transform.windows or transform.rows")  # fmt: skip
    return frame(CModel(
        name, model_id, about, "transform", kind, tables.inputs, tables.packed_bytes_max,
        f"{text}\n\nstatic const qcs_transform_model_t model = {members};\n",
        windows=tables.windows, scratch=scratch,
    ), sensor)  # fmt: skip


def _members(tables: Tables, model_id: str, arrays: dict[str, NDArray[Any]]) -> dict[str, object]:
    return {
        "id": id_bytes(model_id), "windows": tables.windows, "samples": tables.samples, "rows": tables.rows,
        "room": tables.room, "centre": tables.centre, "low": tables.low, "bits": tables.bits,
        "stride": tables.stride, "folds": len(tables.blocks) - 1, "group": tables.group,
        "qualities": len(arrays["least"]), "accumulator_shift": tables.accumulator_shift,
        "index_shift": tables.index_shift, "multiplier": tables.multiplier, "rounding": f"{tables.rounding}U",
        **{word: word for word in arrays}, "ends": tables.symbols.size,
        "payload": f"qcs_transform_{tables.coder}",
        **({"prepare": "qcs_transform_prepare"} if tables.max_bytes else {"instead": "qcs_transform_raw"}),
        **({"close": "qcs_transform_crc"} if tables.crc else {}),
    }  # fmt: skip


def _arrays(tables: Tables) -> dict[str, NDArray[Any]]:
    """Return the tables of the C model by member; `symbols` holds lower ends, those of the end position last."""
    qualities = range(MOST_QUALITY + 1 if tables.max_bytes else 1)
    arrays: dict[str, NDArray[Any]] = {
        "least": np.array([least(tables, quality) for quality in qualities], np.uint32),
        "block_rows": tables.blocks[:, 1], "weights": tables.weights, "positions": tables.positions,
    }  # fmt: skip
    if tables.coder == "rice":
        return {**arrays, "rice": tables.rice}
    rows = [*tables.symbols.tolist(), tables.ends.tolist()]
    lower = [end for row in rows for end in (0, *row[:-1])]
    symbols = np.array([*lower, 0], np.uint16)
    return {**arrays, "classes": tables.classes, "contexts": tables.contexts, "symbols": symbols}


def least(tables: Tables, quality: int) -> int:
    """Return the least |sum| whose index at this quality is not 0, 2^31 if there is none."""
    missing = (1 << tables.index_shift + quality) - (tables.rounding << quality)
    magnitude = max(-(-missing // tables.multiplier), 0)
    if quality == MOST_QUALITY or magnitude > _MOST_MAGNITUDE:
        return _NEVER
    return min(max(magnitude << tables.accumulator_shift, 1), _NEVER)
