"""Proof on the host that every implementation of an encoder gives the same bytes.

`simulate` runs the NumPy reference, the exported C, and the TFLite Micro runtime on the same vectors. No TensorFlow.
"""

from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.run import simulate
from qcskit.firmware_sim.verdict import Verdict

__all__ = ["SimulateConfig", "Verdict", "simulate"]
