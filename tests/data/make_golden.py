"""Make `tests/data/golden`: what deployed nodes and stored bundles hold, so that no release can change it unnoticed.

packing.json   per number of levels: indices and bits of a group, a digest of fixed indices packed, some bytes in full
frames.json    every message of the serial protocol as bytes on the line
packets.json   per bundle: counts, the packets that answer them, x_hat of those packets
<bundle>/      small bundles of every family, in every schema and version of the C text that was ever released

Bits and frames are computed here from docs/bundle.md and docs/protocol.md, in code of its own; packets by the bundle's
definition. What exists is compared and never overwritten, unless --replace names it: only for a form that no release
has had. Needs the extra 'train'. Run from the repository root: python tests/data/make_golden.py
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from support.bundles import random_encoder  # noqa: E402
from support.raw_line import INFO, frame  # noqa: E402

from qcskit.codec import codecs  # noqa: E402
from qcskit.codec.classical.config import ClassicalConfig  # noqa: E402
from qcskit.codec.coded.scheme import CodedConfig  # noqa: E402
from qcskit.codec.interface import Codec, Packets  # noqa: E402
from qcskit.codec.sensor import AdcConfig, source_arrays  # noqa: E402
from qcskit.codec.signal import SignalConfig  # noqa: E402
from qcskit.codec.sparse.config import SparseConfig  # noqa: E402
from qcskit.codec.transform.config import TransformConfig  # noqa: E402
from qcskit.export.classical import design as classical  # noqa: E402
from qcskit.export.coded import design as coded  # noqa: E402
from qcskit.export.config import ExportConfig  # noqa: E402
from qcskit.export.learned.run import encoder_draft  # noqa: E402
from qcskit.export.sparse import design as sparse  # noqa: E402
from qcskit.export.transform import design as transform  # noqa: E402
from qcskit.export.writer import write_bundle  # noqa: E402

Constants = dict[str, Any]
COUNTS_OF_INDICES = (1, 2, 7, 10, 33, 64, 130)
"""Values of K: less than a group, several of them, a part of one at the end."""
IN_FULL = (3, 5, 10, 20, 31, 100, 255)
SEQ = 0x1234
NATIVE_RX_BYTES = 4096


# ---- bits ----


def indices(count: int, levels: int) -> list[list[int]]:
    """Return rows of indices without a random generator: the smallest, the largest, and a pattern."""
    return [[0] * count, [levels - 1] * count, [(7 * i * i + 13 * i + levels) % levels for i in range(count)]]


def group(levels: int) -> tuple[int, int]:
    """Return indices and bits of the densest group of at most 64 bits, the smallest of equally dense ones."""
    if levels in (fixed := {3: (5, 8), 5: (27, 63), 7: (14, 40)}):
        return fixed[levels]
    sizes = [(symbols, (levels**symbols - 1).bit_length()) for symbols in range(1, 65)]
    return min((size for size in sizes if size[1] <= 64), key=lambda size: size[1] / size[0])


def packed(row: list[int], levels: int) -> bytes:
    """Return the bytes of indices: groups as base-I numbers in one stream, least significant first."""
    symbols, bits = group(levels)
    stream = at = 0
    for start in range(0, len(row), symbols):
        part = row[start : start + symbols]
        stream |= sum(value * levels**place for place, value in enumerate(part)) << at
        at += bits if len(part) == symbols else (levels ** len(part) - 1).bit_length()
    return stream.to_bytes((at + 7) // 8, "little")


def packing() -> Constants:
    """Return the constants of packing.json."""
    found: Constants = {}
    for levels in range(2, 257):
        rows = [packed(row, levels) for count in COUNTS_OF_INDICES for row in indices(count, levels)]
        full = {"bytes": [packed(row, levels).hex() for row in indices(33, levels)]} if levels in IN_FULL else {}
        found[str(levels)] = {"group": group(levels), "digest": sha256(b"".join(rows)).hexdigest()[:16], **full}
    return found


# ---- frames ----


def frames(path: Path) -> Constants:
    """Return the constants of frames.json; what depends on a model is of the bundle at `path`, on board `native`."""
    codec = codecs.open_codec(path)
    counts = np.array([[-32768, -1, 0, 1, 255, 256, 2048, 32767], [300, -200, 100, -50, 25, -12, 6, -3]], "<i2")
    inputs = np.array([[-128, -1, 0, 1, 2, 3, 4, 127]], np.int8)
    answers = [*codec.definition(counts), *codec.oracles()[0].encode(inputs)]
    info = INFO.pack(2, b"\0\1\0", bytes.fromhex(codec.bundle.manifest.model_id), 8, 6, 5, 1, 0xC3, 2, NATIVE_RX_BYTES,
                     255, 3, 10**9, 1)  # fmt: skip
    echoed, pattern = b"\0" * 3 + b"a" * 254, pack("<I", 921600)
    sent = {
        "HELLO": frame(0x01, SEQ), "INFO": frame(0x81, SEQ, info),
        "ENCODE counts": frame(0x02, SEQ, b"\x02\x02" + counts.tobytes()),
        "RESULT counts": frame(0x82, SEQ, result(answers[:2], [7, 2**32 - 1])),
        "ENCODE int8": frame(0x02, SEQ, b"\x01\x01" + inputs.tobytes()),
        "ENCODE repeat": frame(0x02, SEQ, b"\x11\x01" + inputs.tobytes()),
        "RESULT int8": frame(0x82, SEQ, result(answers[2:], [0])),
        "RESULT variable": frame(0x82, 0xFFFF, result([b"\1", b"\2\0\3", b"\4\5"], [0, 1, 2])),
        "ECHO": frame(0x03, 0, echoed), "ECHOED": frame(0x83, 0, echoed),
        "RESET": frame(0x05, SEQ), "DONE": frame(0x85, SEQ),
        "STATS": frame(0x04, SEQ), "COUNTS": frame(0x84, SEQ, pack("<IIII", 1, 0, 0, 0)),
        "COUNTS each": frame(0x84, SEQ, pack("<IIII", 1, 2, 3, 2**32 - 1)),
        "BAUD": frame(0x06, SEQ, pattern), "BAUD_SET": frame(0x86, SEQ, pattern),
        "to ERROR 1": frame(0x42, SEQ), "to ERROR 2": frame(0x02, SEQ, b"\1\2" + bytes(15)),
        "to ERROR 3": frame(0x02, SEQ, b"\x91\1" + bytes(8)), "to ERROR 4": frame(0x02, SEQ, b"\1\0"),
        "to ERROR 5": frame(0x01, SEQ, version=1),
    }  # fmt: skip
    details = {1: 0x42, 2: 17, 3: 0x91, 4: 255, 5: 2, 6: 5000, 7: NATIVE_RX_BYTES}
    sent |= {f"ERROR {code}": frame(0xFF, SEQ, pack("<BI", code, detail)) for code, detail in details.items()}
    return {name: data.hex() for name, data in sent.items()}


def result(answers: list[bytes], ticks: list[int]) -> bytes:
    """Return the payload of RESULT."""
    records = (pack("<IH", tick, len(data)) + data for data, tick in zip(answers, ticks, strict=True))
    return bytes([len(answers)]) + b"".join(records)


# ---- bundles ----


def learned(profile: str, levels: int, decoder: bool = False) -> Callable[[Path], None]:
    """Return what writes a bundle of a random encoder."""

    def write(path: Path) -> None:
        made, thresholds = random_encoder(np.random.default_rng(levels), (8, 12, 6), levels, profile)
        values = np.linspace(-1, 1, levels)
        draft = encoder_draft(path.name, made, thresholds, values)
        draft = replace(draft, source=source_arrays(SignalConfig(n=16, m=8, s=2), made.signal, 0))
        if decoder:
            draft = replace(draft, files={**draft.files, "decoder.tflite": small_decoder(values, 6, 16)})
        write_bundle(path, draft, 4)

    return write


def small_decoder(levels: np.ndarray, inputs: int, outputs: int) -> bytes:
    """Return a decoder network of random weights."""
    import keras

    from qcskit.export.learned.decoder import decoder_flatbuffer

    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs, "tanh")])
    return decoder_flatbuffer(network, levels, inputs)


def scheme(**settings: Any) -> Callable[[Path], None]:
    """Return what writes a bundle of a coded scheme."""

    def write(path: Path) -> None:
        export = ExportConfig(name=path.name, golden_frames=4, test_frames=100)
        config = CodedConfig(k=2, m=32, guard=False, period_bits=9, **settings)
        coded.design(path, {"coded": config, "adc": AdcConfig(offset_counts=5)}, export)

    return write


def method(codec: str, levels: int) -> Callable[[Path], None]:
    """Return what writes a bundle of a classical method."""

    def write(path: Path) -> None:
        config = ClassicalConfig(codec=codec, levels=levels, train_frames=2000, test_frames=500)
        export = ExportConfig(name=path.name, golden_frames=4)
        classical.design(path, {"classical": config, "signal": SignalConfig()}, export)

    return write


def windows(n: int = 12, windows: int = 2, **settings: Any) -> Callable[[Path], None]:
    """Return what writes a bundle of a transform codec, designed from a recording that is a formula."""

    def write(path: Path) -> None:
        time = np.arange(1500)
        wave = 900 * np.sin(time / 40) + 300 * np.sin(time * time / 5000) + 40 * np.sin(time * 2.1)
        with TemporaryDirectory() as folder:
            np.save(file := Path(folder) / "counts.npy", np.rint(12_000 + wave).astype(np.int16))
            signal = SignalConfig(n=n, source="recorded", recording=str(file))
            config = TransformConfig(windows=windows, **settings)
            export = ExportConfig(name=path.name, golden_frames=4, test_windows=20)
            transform.design(path, {"transform": config, "signal": signal}, export)

    return write


def searched(n: int, m: int, **settings: Any) -> Callable[[Path], None]:
    """Return the writer of a sparse codec's bundle."""

    def write(path: Path) -> None:
        config = SparseConfig(train_frames=2000, test_frames=500, **settings)
        export = ExportConfig(name=path.name, golden_frames=4)
        signal = SignalConfig(n=n, m=m, s=2, matrix="gaussian")
        sparse.design(path, {"sparse": config, "signal": signal}, export)

    return write


BUNDLES: dict[str, Callable[[Path], None]] = {
    "int8": learned("tflm", 5, decoder=True), "native": learned("native", 4), "int16": learned("tflm16", 10),
    "coded_2": scheme(n=60), "coded_3": scheme(n=40, p=3),
    "usq_omp": method("ce-usq-omp", 10), "sq_l1": method("ce-sq-l1", 20), "usq_mmse": method("ce-usq-mmse", 31),
    "sq_consistent": method("ce-sq-consistent", 12), "one_bit": method("1-bit-biht", 2),
    "klt_range": windows(), "klt_rice": windows(coder="rice", bits_per_sample=2.0),
    "dct_bounded": windows(basis="dct", decimate=2, max_bytes=6, crc=True), "lossless": windows(mode="lossless"),
    "dct_fast": windows(n=128, windows=1, basis="dct", rows=30),
    "pairs_lloyd": searched(9, 7, bits=13, windows=3), "pairs_plane": searched(8, 6, bits=12, code="plane"),
    "pairs_range": searched(8, 6, bits=11, code="range"),
}  # fmt: skip


def packets(path: Path) -> Constants:
    """Return the constants of packets.json of one bundle: source vectors, both ends of the range, a ramp."""
    codec = codecs.open_codec(path)
    ramp = np.linspace(-32768, 32767, codec.inputs)
    ends = [np.full(codec.inputs, -32768), np.resize([32767, -32768], codec.inputs), ramp, ramp[::-1] / 64]
    counts = np.concatenate([codec.counts(codec.draw(3, 1)[1]), np.array(ends).astype(np.int16)])
    answers = codec.definition(counts)
    found = {"counts": counts.tolist(), "packets": hexes(answers), "x_hat": x_hat(codec, answers)}
    if codec.takes_inputs:
        found |= {"inputs": codec.network_input(counts).tolist()}
    return found


def hexes(some: Packets) -> list[str]:
    """Return packets as text."""
    return [packet.hex() for packet in some]


def x_hat(codec: Codec, some: Packets) -> list[list[float] | None] | None:
    """Return what packets decode to, a row each, None for a flagged one; None if there is no decoder."""
    if not codec.decodes:
        return None
    rows = np.round(codec.decode(some), 4) + 0.0
    return [None if np.isnan(row).all() else row.tolist() for row in rows]


# ---- files ----


def update(path: Path, made: Constants, replaced: set[str]) -> None:
    """Add constants to a file. Exits if one is there with another value and neither it nor the file is replaced."""
    made = json.loads(json.dumps(made))
    held: Constants = json.loads(path.read_text()) if path.is_file() else {}
    wrong = [key for key, value in made.items() if held.get(key, value) != value and not {key, path.name} & replaced]
    if wrong:
        sys.exit(f"{path.name}: {', '.join(wrong)}: the code gives another value than the released one; mend the code, "
                 f"or give a form that no release has had with --replace {wrong[0]}")  # fmt: skip
    lines = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in {**held, **made}.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def main() -> None:
    """Add what is missing; compare the rest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="append", default=[], metavar="NAME", help="a file, a key or a bundle")
    parser.add_argument("--out", type=Path, default=HERE / "golden", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    out, replaced = arguments.out, set(arguments.replace)
    for name, write in BUNDLES.items():
        if name in replaced or not (out / name).is_dir():
            write(out / name)
    update(out / "packing.json", packing(), replaced)
    update(out / "frames.json", frames(out / "int8"), replaced)
    update(out / "packets.json", {name: packets(out / name) for name in BUNDLES}, replaced)


if __name__ == "__main__":
    main()
