"""A bundle of the coded scheme: what it holds, and its codec.

tables.npz: `info`, information positions of the polar code; `sawtooth`, (levels, step, offset); `thresholds`, the
counts at which the symbol changes within one period. All else of the codec follows from the manifest.
"""

from collections.abc import Sequence
from string import Template
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from qcskit.codec import codecs
from qcskit.codec.arrays import check_names, take_table
from qcskit.codec.bundle import Bundle, CodecFacts
from qcskit.codec.coded.sawtooth import MAX_LEVELS, Sawtooth, integer_sawtooth, sawtooth
from qcskit.codec.coded.scheme import CodedConfig, CodedScheme
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.indexed import Index, IndexCodec
from qcskit.codec.interface import Array, Counts, Oracle
from qcskit.codec.json_file import why_invalid
from qcskit.codec.text import CModel, c_files, c_struct, id_bytes

TABLES_VERSION = 1
"""Version of the integers' meaning; the model id depends on it."""
_MOST_CODE_ENTRIES = 1 << 25

_THRESHOLDS = Template("""\
/* Within the period that starts at count START: the first counts of symbols 1 .. p - 1, and of the next period. */
#define QCS_${NAME}_PERIOD_START $start
#define QCS_${NAME}_THRESHOLDS {$thresholds}
""")

_BODY = Template("""\
#define STEP UINT32_C($step)
#define OFFSET UINT32_C($offset)

/* The integers give the thresholds of the header. */
$asserts

static const qcs_coded_model_t model = $model;
""")


class Facts(CodecFacts):
    """The coded scheme: table [coded], and what recovery was measured.

    snr_db: of the vectors that tests draw. perfect_recovery, flagged: shares of `frames` fresh vectors at that SNR.
    """

    kind: Literal["coded"] = "coded"
    n: int = Field(ge=1, le=65535)
    k: int = Field(ge=1, le=65535)
    p: int = Field(ge=2, le=MAX_LEVELS)
    r: int = Field(ge=1, le=16)
    m: int = Field(ge=2, le=65535)
    rows: Literal["independent", "all"]
    guard: bool
    gamma: int
    design_snr_db: float = Field(ge=-60, le=120)
    lists: tuple[int, ...] = Field(min_length=1, max_length=16)
    period_bits: int = Field(ge=2, le=16)
    values: Literal["centred", "unsigned"]
    packed_bits: int
    snr_db: float = Field(ge=-60, le=120)
    frames: int = 0
    perfect_recovery: float | None = None
    flagged: float | None = None


def model_id(scheme: CodedScheme, sawtooth: Sawtooth) -> str:
    """Return the id of all that device and decoder must agree on, as 16 hex digits."""
    integers = np.array([sawtooth.p, sawtooth.step, sawtooth.offset], np.int64)
    return tables_id(f"qcs-coded-{TABLES_VERSION}", {"code": scheme.code, "sawtooth": integers})


class CodedCodec(IndexCodec):
    """A bundle's coded scheme. sawtooth: what the device does; measurements are in units of the level spacing."""

    exact = True

    def __init__(self, bundle: Bundle, facts: Facts, scheme: CodedScheme, sawtooth: Sawtooth) -> None:
        super().__init__(bundle, scheme.packing, scheme.config.m)
        self.facts, self.scheme, self.sawtooth = facts, scheme, sawtooth

    def index(self, counts: Counts) -> Index:
        """Return the symbols (packets, m) of counts (packets, m)."""
        return self.sawtooth.index(counts)

    def decode_index(self, index: Index) -> Array:
        """Return x (packets, n); every entry of a frame that is flagged as not recoverable is NaN."""
        result = self.scheme.decode_symbols(index)
        x = result.x.astype(np.float64)
        x[~result.ok] = np.nan
        return x

    def oracles(self) -> tuple[Oracle, ...]:
        """Return ⌊y / a + 1/2⌋ mod p of the measurements that counts stand for, in floating point (exact: a dyadic)."""
        adc, p = self.bundle.manifest.adc, self.sawtooth.p

        def encode(counts: Counts) -> Any:
            return self.pack(sawtooth((counts.astype(np.float64) - adc.offset_counts) * adc.units_per_count, 1.0, p))

        return (Oracle("definition", "oracle", encode),)

    def draw(self, packets: int, seed: int | Sequence[int]) -> tuple[NDArray[np.int16], Array]:
        """Return x (packets, n) and measurements y (packets, m) at the bundle's SNR, drawn with this seed."""
        rng = np.random.default_rng(seed)
        x = self.scheme.draw(packets, rng)
        return x, self.scheme.measure(x, self.facts.snr_db, rng)

    def c_files(self) -> dict[str, str]:
        """Return the C text: the sawtooth's integers, held against its thresholds by the compiler."""
        config, packing, saw, ident = self.scheme.config, self.packing, self.sawtooth, self.bundle.manifest.model_id
        thresholds = [saw.period_start + value for value in saw.thresholds().tolist()]
        members = {
            "id": id_bytes(ident), "inputs": config.m, "levels": config.p, "packed_bytes": packing.packed_bytes,
            "group_symbols": packing.group[0], "group_bits": packing.group[1], "period_bits": config.period_bits,
            "step": "STEP", "offset": "OFFSET",
        }  # fmt: skip
        about = (f"n = {config.n}, k = {config.k}, m = {config.m} measurements of p = {config.p} levels, period "
                 f"{2**config.period_bits} counts, {packing.packed_bits} bits per vector.")  # fmt: skip
        header = _THRESHOLDS.substitute(
            NAME=self.name.upper(), start=saw.period_start, thresholds=", ".join(map(str, thresholds))
        )
        body = _BODY.substitute(
            step=saw.step, offset=saw.offset, asserts=_asserts(thresholds, saw.p), model=c_struct(members)
        )
        number = codecs.find_family(self.kind).number
        return c_files(CModel(self.name, ident, about, "coded", number, config.m, packing.packed_bytes, body,
                              outputs=config.m, levels=config.p, more=header), self.sensor_macros())  # fmt: skip

    def describe(self) -> dict[str, str]:
        """Return code, quantizer and measured recovery in words."""
        f, offset = self.facts, self.bundle.manifest.adc.offset_counts
        beyond = "are always noticed" if f.guard else "may come back wrong unnoticed; set coded.guard = true"
        measured = "not measured"
        if f.perfect_recovery is not None and f.flagged is not None:
            measured = f"{f.perfect_recovery:.5f} of {f.frames:,} vectors at {f.snr_db:.2f} dB, flagged {f.flagged:.5f}"
        return {
            "code": f"n = {f.n} entries over p = {f.p}, at most k = {f.k} not zero; k + 1 {beyond}",
            "measurements": f"m = {f.m}, rows {f.rows}, lists {', '.join(map(str, f.lists))}",
            "device": f"sawtooth of period 2^{f.period_bits} counts, ADC offset {offset}",
            **self.size_rows(),
            "perfect recovery": measured,
        }


def _asserts(thresholds: list[int], p: int) -> str:
    lines = []
    for symbol, count in enumerate(thresholds, start=1):
        for at, expected in ((count - 1, symbol - 1), (count, symbol % p)):
            lines.append(
                f'_Static_assert(QCS_CODED_SYMBOL({at}, STEP, OFFSET, {p}) == {expected}, "threshold {symbol}");'
            )
    return "\n".join(lines)


def read(bundle: Bundle) -> CodedCodec:
    """Return the codec of a coded bundle. Raises QcsError if its tables do not make the code that its id names."""
    facts, manifest = bundle.manifest.codec, bundle.manifest
    assert isinstance(facts, Facts)
    signal = manifest.signal
    for key, stated, found in (
        ("signal.n", signal.n, facts.n), ("signal.m", signal.m, facts.m), ("signal.s", signal.s, facts.k),
        ("inputs", manifest.inputs, facts.m),
        ("adc.units_per_count", manifest.adc.units_per_count, facts.p / 2**facts.period_bits),
    ):  # fmt: skip
        bundle.check_equal(key, stated, found, "codec of manifest.json")
    if facts.n * facts.m > _MOST_CODE_ENTRIES:
        raise bundle.fail(f"manifest.json: a code of {facts.m:,} x {facts.n:,} entries is more than this qcskit makes")
    try:
        levels, step, offset = take_table(bundle.arrays, "sawtooth", np.int64, (3,)).tolist()
        thresholds = take_table(bundle.arrays, "thresholds", np.int32, (facts.p,))
        info = take_table(bundle.arrays, "info", np.int64, (None,))
        check_names(bundle.arrays, {"sawtooth", "thresholds", "info"})
        config = CodedConfig.model_validate(facts.model_dump(include=set(CodedConfig.model_fields)))
        scheme = CodedScheme(config, info=info)
    except ValidationError as error:
        raise bundle.fail(f"manifest.json: codec.{why_invalid(error)}") from None
    except QcsError as error:
        raise bundle.fail(f"tables.npz does not make a code ({error})") from None
    own = Sawtooth(levels, step, offset)
    if model_id(scheme, own) != manifest.model_id:
        raise bundle.fail(f"tables.npz is of model {model_id(scheme, own)}, manifest.json of {manifest.model_id}")
    if own != integer_sawtooth(config.p, 2**config.period_bits, manifest.adc.offset_counts):
        raise bundle.fail("tables.npz and manifest.json differ in the sawtooth")
    if not np.array_equal(thresholds, own.thresholds()):
        raise bundle.fail("tables.npz: its thresholds are not those of its sawtooth")
    bundle.check_equal("codec.packed_bits", facts.packed_bits, scheme.packing.packed_bits)
    return CodedCodec(bundle, facts, scheme, own)


def bundle_sawtooth(config: CodedConfig, offset_counts: int) -> Sawtooth:
    """Return the integer quantizer of a configuration.

    Raises QcsError if a noise-free vector with k non-zeros could leave int16.
    """
    period = 2**config.period_bits
    largest = 1 if config.p == 2 else config.p // 2
    value = 1 if config.p == 2 else (config.p - 1 if config.values == "unsigned" else config.p // 2)
    reach = config.k * largest * value * period / config.p + abs(offset_counts)
    if reach > 32767:
        raise QcsError(f"[coded] period_bits = {config.period_bits}: measurements reach {reach:.0f} counts, beyond "
                       f"int16; lower period_bits")  # fmt: skip
    return integer_sawtooth(config.p, period, offset_counts)
