"""C text of a sparse codec: tables in the form that firmware/src/qcs_sparse*.c reads."""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.sparse.tables import Tables
from qcskit.codec.text import CModel, c_struct, c_table, id_bytes
from qcskit.codec.text import c_files as frame


def c_files(name: str, model_id: str, tables: Tables, about: str, kind: int, sensor: str = "") -> dict[str, str]:
    """Return qcs_model_<name>.h and .c. about: one line. kind: number of the family. sensor: lines of the header."""
    arrays = _arrays(tables)
    stride = tables.inputs + tables.inputs % 2
    members = {
        "id": id_bytes(model_id), "windows": tables.windows, "inputs": tables.inputs, "stride": stride,
        "entries": tables.entries, "packed_bytes": tables.packed_bytes,
        "low": tables.low, "high": tables.high, "centre": tables.centre,
        "align": tables.align, "bits": tables.bits, "pair_bits": tables.pair_bits, "fit_shift": tables.fit_shift,
        "residual_shift": tables.residual_shift, "sparsity": tables.sparsity,
        "levels": tables.levels, "coarse_levels": tables.coarse_levels,
        "plane_count": len(tables.plane), "axis_count": len(tables.axis),
        "limit": f"{tables.limit}U", "most_left": isqrt(tables.limit), "plain_words": f"UINT32_C({tables.plain_words})",
        "alone_words": f"UINT32_C({4 * len(tables.plane) * len(tables.supports)})",
        **{word: word for word in arrays},
        "search": f"qcs_sparse_{'pair' if tables.sparsity == 2 else 'single'}", "word": f"qcs_sparse_{tables.code}",
        **({"guard": "qcs_sparse_guard"} if tables.limit else {}),
    }  # fmt: skip
    text = "\n".join(c_table(word, values, "QCS_ROM") for word, values in arrays.items())
    return frame(CModel(
        name, model_id, about, "sparse", kind, tables.windows * tables.inputs, tables.packed_bytes,
        f"{text}\n\nstatic const qcs_sparse_model_t model = {c_struct(members)};\n", windows=tables.windows,
        scratch=2 * (stride + tables.entries + 2),
    ), sensor)  # fmt: skip


def _arrays(tables: Tables) -> dict[str, NDArray[Any]]:
    """Return the tables of the C model by member: rows and their number even, a pair in one word with −v."""
    m, n = tables.inputs, tables.entries
    arrays: dict[str, NDArray[Any]] = {**tables.arrays, "phi": np.pad(tables.phi, ((0, n % 2), (0, m % 2)))}
    if tables.pairs.size:
        u, v = tables.pairs.astype(np.int64).T
        arrays["pairs"] = (((-v & 0xFFFF) << 16) | (u & 0xFFFF)).astype(np.uint32)
    return arrays
