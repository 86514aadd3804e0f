"""Codecs in plain NumPy: open a bundle, encode what the sensor sees, decode what comes back, and say how close it is.

Nothing here needs Keras, TensorFlow or a C compiler; every other component builds on it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcskit.codec import metrics
    from qcskit.codec.bundle import Bundle, read_bundle
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.errors import QcsError
    from qcskit.codec.interface import Codec, Packets
    from qcskit.codec.packet_files import load_packets, save_packets
    from qcskit.codec.sensor import AdcConfig
else:
    from qcskit.codec.lazy import lazy

    __getattr__, __dir__ = lazy(__name__, {
        "open_codec": "qcskit.codec.codecs:open_codec",
        "Codec": "qcskit.codec.interface:Codec",
        "Packets": "qcskit.codec.interface:Packets",
        "load_packets": "qcskit.codec.packet_files:load_packets",
        "save_packets": "qcskit.codec.packet_files:save_packets",
        "read_bundle": "qcskit.codec.bundle:read_bundle",
        "Bundle": "qcskit.codec.bundle:Bundle",
        "metrics": "qcskit.codec.metrics",
        "AdcConfig": "qcskit.codec.sensor:AdcConfig",
        "QcsError": "qcskit.codec.errors:QcsError",
    })  # fmt: skip

__all__ = [
    "AdcConfig", "Bundle", "Codec", "Packets", "QcsError", "load_packets", "metrics", "open_codec", "read_bundle",
    "save_packets",
]  # fmt: skip
