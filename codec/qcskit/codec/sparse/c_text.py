"""C text of a sparse codec: tables in the form that firmware/src/qcs_sparse*.c reads."""

from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.range_coder import equal_parts
from qcskit.codec.sparse.tables import Tables
from qcskit.codec.text import CModel, c_struct, c_table, id_bytes
from qcskit.codec.text import c_files as frame


def c_files(name: str, model_id: str, tables: Tables, about: str, kind: int, sensor: str = "") -> dict[str, str]:
    """Return qcs_model_<name>.h and .c. about: one line. kind: number of the family. sensor: lines of the header."""
    arrays, core, members = _arrays(tables), "sparse", _members(tables, model_id)
    if tables.code == "range":
        core, members = "sparse_range", {"sparse": c_struct(members, 8 * " "), **_range_members(tables)}
    parts = [c_table(word, values, "QCS_ROM") for word, values in arrays.items()]
    coarse = _points(tables, "coarse_")
    points = _points(tables) | ({"coarse": "&coarse_points"} if coarse else {})
    for word, kept in (("coarse_points", coarse), ("points", points), ("limits", _limits(tables))):
        if kept:
            parts.append(f"\nstatic const qcs_sparse_{word.removeprefix('coarse_')}_t {word} = {c_struct(kept)};")
    body = "\n".join(parts)
    return frame(CModel(
        name, model_id, about, core, kind, tables.windows * tables.inputs, tables.packed_bytes,
        f"{body}\n\nstatic const qcs_{core}_model_t model = {c_struct(members)};\n", windows=tables.windows,
        scratch=2 * (_stride(tables) + tables.entries + 2),
    ), sensor)  # fmt: skip


def _stride(tables: Tables) -> int:
    return tables.inputs + tables.inputs % 2


def _members(tables: Tables, model_id: str) -> dict[str, object]:
    guarded = "guarded_" if tables.limit else ""
    return {
        "id": id_bytes(model_id), "windows": tables.windows, "inputs": tables.inputs, "stride": _stride(tables),
        "entries": tables.entries, "packed_bytes": tables.packed_bytes,
        "low": tables.low, "high": tables.high, "centre": tables.centre,
        "align": tables.align, "bits": tables.bits, "pair_bits": tables.pair_bits, "sparsity": tables.sparsity,
        "half": tables.levels // 2,
        **{word: word for word in _arrays(tables) if word in ("phi", "pairs", "thresholds")},
        "search": f"qcs_sparse_{'pair' if tables.sparsity == 2 else 'single'}",
        **({} if tables.code == "range" else {"word": f"qcs_sparse_{guarded}{tables.code}"}),
        **({"points": "&points"} if tables.plane.size else {}),
        **({"limits": "&limits"} if tables.limit else {}),
    }  # fmt: skip


def _points(tables: Tables, prefix: str = "") -> dict[str, object]:
    """Return the numbers of the code plane, with the prefix coarse_ of its flagged vectors; else none."""
    plane, axis = (_arrays(tables).get(f"{prefix}{word}", np.empty(0)) for word in ("plane", "axis"))
    if not axis.size:
        return {}
    return {
        **({"plane": f"{prefix}plane"} if plane.size else {}), "axis": f"{prefix}axis",
        "alone_words": f"UINT32_C({4 * len(plane) * len(tables.supports)})", "count": len(plane),
        "axis_count": len(axis),
    }  # fmt: skip


def _limits(tables: Tables) -> dict[str, object]:
    """Return the numbers of the guard, none without one."""
    if not tables.limit:
        return {}
    return {
        **({"coarse": "coarse"} if tables.coarse.size else {}),
        "limit": f"{tables.limit}U", "plain_words": f"UINT32_C({tables.plain_words})",
        "most_left": isqrt(tables.limit), "coarse_half": tables.coarse_levels // 2,
        "fit_shift": tables.fit_shift, "residual_shift": tables.residual_shift,
    }  # fmt: skip


def _range_members(tables: Tables) -> dict[str, object]:
    place_size, place_bits = equal_parts(tables.entries)
    support_size, support_bits = equal_parts(len(tables.supports))
    return {
        **({"guard": "qcs_sparse_guard"} if tables.limit else {}),
        "multiplier": tables.multiplier, "least": tables.least, "flag": tables.flag,
        "place_size": place_size, "place_bits": place_bits, "support_size": support_size, "support_bits": support_bits,
        "index_shift": tables.index_shift, "coarse_shift": tables.coarse_shift,
        "symbols": "symbols",
    }  # fmt: skip


def _arrays(tables: Tables) -> dict[str, NDArray[Any]]:
    """Return the tables of the C model by member: rows and their number even, a pair in one word with −v."""
    m, n = tables.inputs, tables.entries
    arrays: dict[str, NDArray[Any]] = {**tables.arrays, "phi": np.pad(tables.phi, ((0, n % 2), (0, m % 2)))}
    if tables.pairs.size:
        u, v = tables.pairs.astype(np.int64).T
        arrays["pairs"] = (((-v & 0xFFFF) << 16) | (u & 0xFFFF)).astype(np.uint32)
    if tables.symbols.size:
        lower = [end for row in tables.symbols.tolist() for end in (0, *row[:-1])]
        arrays["symbols"] = np.array([*lower, 0], np.uint16)
    return arrays
