"""C text of a lossy transform codec: tables in the form that firmware/src/qcs_transform*.c reads."""

from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.range_coder import MOST_INDEX
from qcskit.codec.text import CModel, c_struct, c_table, id_bytes
from qcskit.codec.text import c_files as frame
from qcskit.codec.transform.tables import MOST_QUALITY, Tables

_NEVER = 2**31
"""No sum reaches it."""
_MOST_MAGNITUDE = 2**20 - 1
_MOST_SCRATCH = 65535
"""scratch_bytes of qcs_codec_t."""
_MOST_INDEX_BYTES = 4
"""Of an index or an end position: 12 bits for the symbol, 4 and 15 behind an escape; 31 of Rice's."""
_MOST_DIRECT = 191
"""Magnitude without an escape."""
_LEAST_ESCAPE_BITS, _HELD_BITS = 5, 40
"""Bits behind the symbol of an escape; what the coder may hold back before it asks for room."""
_LONGEST = Template("""\
static void all_sums(const qcs_transform_job_t *job) {
  $prepare(job);
  for (uint16_t i = 0; i < $sums; i++) {
    const int32_t sum = i < $escapes ? INT32_C($most) : INT32_C($direct);
    job->sums[i] = i & 1U ? -sum : sum;
  }
}

static uint16_t all_passes(const qcs_transform_job_t *job, uint8_t quality, uint8_t packed[]) {
  volatile uint8_t *const carried = packed;
  for (uint8_t left = $full; left > 0; left--) {
    (void)$payload(job, 0, packed);
    for (uint16_t i = 0; i < $carries; i++)
      carried[i / 2]++;
  }
  (void)quality;
  $last
  return $length;
}
""")


def c_files(name: str, model_id: str, tables: Tables, about: str, kind: int, sensor: str = "") -> dict[str, str]:
    """Return qcs_model_<name>.h and .c. about: one line. kind: number of the family. sensor: lines of the header.

    Raises QcsError if the device's working memory would be too large.
    """
    arrays, scratch = _arrays(tables), 4 * (tables.samples + _sums(tables))
    if scratch > _MOST_SCRATCH:
        raise QcsError(f"transform: {tables.windows} windows that are computed first take {scratch:,} bytes of scratch "
                       f"on the device, at most {_MOST_SCRATCH:,} go; lower transform.windows or rows")  # fmt: skip
    return frame(CModel(
        name, model_id, about, "transform", kind, tables.inputs, tables.packed_bytes_max,
        _body(arrays, "", _members(tables, model_id, arrays)), windows=tables.windows, scratch=scratch,
    ), sensor)  # fmt: skip


def longest_c_files(name: str, model_id: str, tables: Tables, kind: int) -> dict[str, str] | None:
    """Return c_files of a model whose encode takes at least as long as that of these tables on any counts.

    Its packets mean nothing. It codes as often as there are qualities, no index is 0, and no room ends it. Of an index
    nothing takes longer than the escape with most bits, and without it than the largest magnitude; a coarser quality
    has no more of either. Of escapes there are as many as a packet's room has bits for; of carries one per byte, and of
    bytes that they pass through, 0xFF before and 0 behind, not more. None: too long for a device.
    """
    count = tables.windows * tables.rows
    room = _MOST_INDEX_BYTES * (count + tables.windows + 1)
    scratch = 4 * (tables.samples + len(tables.positions) + count)
    if max(room + 2, scratch) > _MOST_SCRATCH:
        return None
    arrays, members = _arrays(tables), _members(tables, model_id, _arrays(tables))
    passes, payload = len(arrays["least"]), members["payload"]
    functions = _LONGEST.substitute(
        prepare=members.get("prepare", "qcs_transform_prepare"), payload=payload, sums=count,
        escapes=min(count, (8 * tables.room + _HELD_BITS) // _LEAST_ESCAPE_BITS),
        most=largest(tables, MOST_INDEX),
        direct=largest(tables, _MOST_DIRECT if tables.coder == "range" else MOST_INDEX),
        full=max(passes - 1, 1), carries=2 * min(tables.room, room), length=tables.room if tables.max_bytes else 0,
        last=f"(void){payload}(job, {MOST_QUALITY}, packed);" if tables.max_bytes else "",
    )  # fmt: skip
    members |= {"room": room, "prepare": "all_sums", "payload": "all_passes"}
    return frame(CModel(
        name, model_id, "takes longest, sends nothing.", "transform", kind, tables.inputs, room + 2,
        _body(arrays, functions, members), windows=tables.windows, scratch=scratch,
    ))  # fmt: skip


def _body(arrays: dict[str, NDArray[Any]], functions: str, members: dict[str, object]) -> str:
    text = "\n".join(c_table(word, values, "QCS_ROM") for word, values in arrays.items())
    return f"{text}\n{functions}\nstatic const qcs_transform_model_t model = {c_struct(members)};\n"


def _members(tables: Tables, model_id: str, arrays: dict[str, NDArray[Any]]) -> dict[str, object]:
    return {
        "id": id_bytes(model_id), "windows": tables.windows, "samples": tables.samples, "rows": tables.rows,
        "room": tables.room, "centre": tables.centre, "low": tables.low, "bits": tables.bits,
        "stride": tables.stride, **_shape(tables), "group": tables.group,
        "qualities": len(arrays["least"]), "accumulator_shift": tables.accumulator_shift,
        "index_shift": tables.index_shift, "multiplier": tables.multiplier, "rounding": f"{tables.rounding}U",
        **{word: word for word in arrays}, "ends": tables.symbols.size,
        "payload": f"qcs_transform_{tables.coder}",
        **({"prepare": "qcs_transform_fast" if tables.fast else "qcs_transform_prepare"} if _prepares(tables) else {}),
        **({} if tables.max_bytes else {"instead": "qcs_transform_raw"}),
        **({"close": "qcs_transform_crc"} if tables.crc else {}),
    }  # fmt: skip


def _prepares(tables: Tables) -> bool:
    """Tell whether the sums of all windows are computed before the first byte."""
    return bool(tables.max_bytes) or tables.fast


def _sums(tables: Tables) -> int:
    """Return how many sums the device holds; those behind the coefficients of a window lie in the next one's."""
    return len(tables.positions) + tables.rows * (tables.windows - 1 if _prepares(tables) else 0)


def _shape(tables: Tables) -> dict[str, object]:
    if tables.fast:
        return {"step_count": len(tables.steps), "pair_count": len(tables.pairs)}
    return {"folds": len(tables.blocks) - 1}


def _arrays(tables: Tables) -> dict[str, NDArray[Any]]:
    """Return the tables of the C model by member; `symbols` holds lower ends, those of the end position last."""
    qualities = range(MOST_QUALITY + 1 if tables.max_bytes else 1)
    arrays: dict[str, NDArray[Any]] = {
        "least": np.array([least(tables, quality) for quality in qualities], np.uint32),
        **({} if tables.fast else {"block_rows": tables.blocks[:, 1]}),
        "weights": tables.weights, "positions": tables.positions,
        **{name: table for name in ("steps", "twiddles", "pairs") if (table := getattr(tables, name)).size},
    }  # fmt: skip
    if tables.coder == "rice":
        return {**arrays, "rice": tables.rice}
    rows = [*tables.symbols.tolist(), tables.ends.tolist()]
    lower = [end for row in rows for end in (0, *row[:-1])]
    symbols = np.array([*lower, 0], np.uint16)
    return {**arrays, "classes": tables.classes, "contexts": tables.contexts, "symbols": symbols}


def largest(tables: Tables, index: int) -> int:
    """Return the largest |sum| whose index at quality 0 is not above `index`."""
    a = ((index + 1 << tables.index_shift) - tables.rounding - 1) // tables.multiplier
    return min((min(a, _MOST_MAGNITUDE) + 1 << tables.accumulator_shift) - 1, _NEVER - 1)


def least(tables: Tables, quality: int) -> int:
    """Return the least |sum| whose index at this quality is not 0, 2^31 if there is none."""
    missing = (1 << tables.index_shift + quality) - (tables.rounding << quality)
    magnitude = max(-(-missing // tables.multiplier), 0)
    if quality == MOST_QUALITY or magnitude > _MOST_MAGNITUDE:
        return _NEVER
    return min(max(magnitude << tables.accumulator_shift, 1), _NEVER)
