"""Everything becomes a bundle here: trained runs, and codecs that need no training; and a bundle a library."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcskit.codec.sensor import AdcConfig
    from qcskit.export.config import ExportConfig
    from qcskit.export.learned.own import export_model
    from qcskit.export.learned.tflite_model import export_tflite
else:
    from qcskit.codec.lazy import lazy

    __getattr__, __dir__ = lazy(__name__, {
        "export_model": "qcskit.export.learned.own:export_model",
        "export_tflite": "qcskit.export.learned.tflite_model:export_tflite",
        "AdcConfig": "qcskit.codec.sensor:AdcConfig",
        "ExportConfig": "qcskit.export.config:ExportConfig",
    })  # fmt: skip

__all__ = ["AdcConfig", "ExportConfig", "export_model", "export_tflite"]
