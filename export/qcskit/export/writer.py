"""The one writer of bundles: a family drafts its part, everything else is the same for all.

A draft is read back as a bundle before it is written, so what is measured and stored is what every reader will get.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import codecs, seeds
from qcskit.codec.arrays import npz_bytes
from qcskit.codec.bundle import Bundle, CodecFacts, Manifest, NmseFacts
from qcskit.codec.files import manifest_checksum, sha256, write_directory
from qcskit.codec.interface import Codec
from qcskit.codec.metrics import fidelity
from qcskit.codec.sensor import Adc, SignalFacts


@dataclass(frozen=True)
class Draft:
    """A bundle in the making. arrays: tables.npz. files: what the family adds. tools: versions beside the kit's.

    source: signal.npz, what `source_arrays` returns; none for a family that draws its sources itself.
    """

    name: str
    model_id: str
    facts: CodecFacts
    signal: SignalFacts
    adc: Adc
    inputs: int
    packed_bytes_max: int
    rate_bits: float
    arrays: Mapping[str, NDArray[Any]]
    files: Mapping[str, bytes] = field(default_factory=dict)
    nmse: NmseFacts = field(default_factory=lambda: NmseFacts(frames=0))
    tools: Mapping[str, str] = field(default_factory=dict)
    windows: int = 1
    source: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def own_files(self) -> dict[str, bytes]:
        """The files that do not follow from others."""
        source = {"signal.npz": npz_bytes(self.source)} if self.source else {}
        return {**self.files, **source, "tables.npz": npz_bytes(self.arrays)}

    def manifest(self, files: Mapping[str, bytes]) -> Manifest:
        """Return the manifest that lists these files."""
        return Manifest(
            name=self.name, model_id=self.model_id, inputs=self.inputs, windows=self.windows,
            packed_bytes_max=self.packed_bytes_max, rate_bits=self.rate_bits, signal=self.signal, adc=self.adc,
            codec=self.facts, nmse=self.nmse,
            tools={**self.tools, "qcskit": version("qcskit"), "numpy": np.__version__},
            files={name: sha256(content) for name, content in sorted(files.items())},
        )  # fmt: skip

    def codec(self) -> Codec:
        """Return the codec as a reader will get it. Raises QcsError if the parts contradict each other."""
        files = self.own_files
        return codecs.load_codec(Bundle(Path(self.name), self.manifest(files), files))


def measured(codec: Codec, x: NDArray[Any] | None, y: NDArray[np.float64], float_db: float | None = None) -> NmseFacts:
    """Return how close comes what the device sends for y (frames, inputs) of x (frames, N), on the codec's scale.

    x: None if it is not known: then only what was clipped is.
    """
    signal = codec.bundle.manifest.signal
    counts = codec.counts(signal.y_units(y))
    clipped = tuple(round(float(share), 6) for share in codec.clipped(counts).mean(axis=0))
    if not codec.decodes or x is None:
        return NmseFacts(frames=len(y), float_db=float_db, clipped=clipped)
    x_units = signal.offset + signal.scale * np.asarray(x, np.float64)
    found = fidelity(x_units, codec.decode(codec.encode_counts(counts)), signal.offset)
    return NmseFacts(frames=len(x), float_db=float_db, deployed_db=found.nmse_db, fidelity=found, clipped=clipped)


def golden_vectors(codec: Codec, packets: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return x, counts, and `packed`, `packed_offsets` that answer them; x_hat of those packets.

    Where network inputs can be given directly, `input`, `input_packed` and `input_packed_offsets` too.
    """
    x, y = codec.draw(packets, seed + seeds.GOLDEN)
    counts = codec.counts(y)
    packed = codec.encode_counts(counts)
    vectors: dict[str, NDArray[Any]] = {
        "x": x, "y": y, "counts": counts, "packed": packed.bytes, "packed_offsets": packed.offsets,
    }  # fmt: skip
    if codec.decodes:
        vectors["x_hat"] = codec.decode(packed).astype(np.float32)
    if codec.takes_inputs:
        vectors["input"] = codec.network_input(counts)
        answer = codec.encode_inputs(vectors["input"])
        vectors |= {"input_packed": answer.bytes, "input_packed_offsets": answer.offsets}
    return vectors


def write_bundle(out: Path, draft: Draft, golden_packets: int, seed: int = 0) -> Manifest:
    """Write the bundle to `out` in one rename and return its manifest."""
    codec = draft.codec()
    files = {
        **draft.own_files,
        "vectors.npz": npz_bytes(golden_vectors(codec, golden_packets, seed)),
        **{f"c/{name}": text.encode() for name, text in codec.c_files().items()},
    }
    manifest = draft.manifest(files)
    checksum = manifest_checksum(manifest.model_dump(mode="json"))
    manifest = manifest.model_copy(update={"checksum": checksum})
    text = json.dumps(manifest.model_dump(mode="json"), indent=1, allow_nan=False) + "\n"
    write_directory(out, {**files, "manifest.json": text.encode()})
    return manifest
