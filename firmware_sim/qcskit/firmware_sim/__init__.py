"""Proof on the host that every implementation of an encoder gives the same bytes.

`simulate` runs the NumPy reference, the exported C, and the TFLite Micro runtime on the same vectors. No TensorFlow.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcskit.firmware_sim.config import SimulateConfig
    from qcskit.firmware_sim.run import simulate
    from qcskit.firmware_sim.verdict import Verdict
else:
    from qcskit.codec.lazy import lazy

    __getattr__, __dir__ = lazy(__name__, {
        "simulate": "qcskit.firmware_sim.run:simulate",
        "SimulateConfig": "qcskit.firmware_sim.config:SimulateConfig",
        "Verdict": "qcskit.firmware_sim.verdict:Verdict",
    })  # fmt: skip

__all__ = ["SimulateConfig", "Verdict", "simulate"]
