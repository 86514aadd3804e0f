"""Packets in files whose names say the format; `stream` has the formats themselves, and inputs without an end."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from qcskit.codec.arrays import MOST_BYTES
from qcskit.codec.config import nearest
from qcskit.codec.errors import QcsError
from qcskit.codec.files import write_file
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.json_file import read_bounded
from qcskit.codec.stream import InFormat, PacketFormat, read_packets, write_packets

READ: dict[str, InFormat] = {
    ".bin": "bin", ".hex": "hex", ".txt": "hex", ".csv": "csv", ".npy": "npy", ".npz": "npz",
}  # fmt: skip
"""Suffix → how packets are read."""
WRITTEN: dict[str, PacketFormat] = {
    ".bin": "bin", ".hex": "hex", ".txt": "hex", ".csv": "csv", ".npz": "npz", ".h": "c", ".c": "c",
}  # fmt: skip
"""Suffix → how packets are written."""
_Format = TypeVar("_Format")


def save_packets(path: str | Path, packets: Packets, codec: Codec) -> None:
    """Write packets of a codec to a file, all or nothing. Its suffix says how: .bin, .hex, .csv, .npz, .h.

    Raises QcsError of another suffix, or if the file cannot be written.
    >>> from qcskit.codec import load_packets, open_codec, save_packets
    >>> codec = open_codec("bundle")
    >>> packets = codec.encode(codec.bundle.vectors["y"])
    >>> save_packets("packets.bin", packets, codec)
    >>> bool(load_packets("packets.bin", codec).differ(packets).any())
    False
    """
    content = write_packets(packets, _format(path, WRITTEN), codec)
    write_file(Path(path), lambda file: file.write(content))


def load_packets(path: str | Path, codec: Codec) -> Packets:
    """Return the packets of a codec from a file. Its suffix says how: .bin, .hex, .csv, .npy, .npz.

    Raises QcsError of another suffix, or that names the place at fault.
    >>> from pathlib import Path
    >>> from qcskit.codec import load_packets, open_codec
    >>> _ = Path("radio.hex").write_text("3d6afc03\\n11111111\\n")
    >>> load_packets("radio.hex", open_codec("bundle"))
    <2 packets of 4 bytes, 8 bytes in all>
    """
    kind = _format(path, READ)
    content = read_bounded(Path(path), "packets", MOST_BYTES)
    try:
        return Packets.join(list(read_packets(io.BytesIO(content), kind, codec)))
    except QcsError as error:
        raise QcsError(f"packets '{path}': {error}") from None


def _format(path: str | Path, by_suffix: Mapping[str, _Format]) -> _Format:
    suffix = Path(path).suffix.lower()
    if suffix not in by_suffix:
        raise QcsError(f"packets '{path}': no format has the suffix '{suffix}'; {nearest(suffix, tuple(by_suffix))}")
    return by_suffix[suffix]
