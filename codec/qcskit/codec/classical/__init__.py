"""Classical quantized compressed sensing: the baselines of the DeepQCS paper and the limits no codec can pass.

`make(name, signal, levels)` returns any of them as a codec; `NAMES` lists the names, docs/classical.md explains them.
"""

from qcskit.codec.classical.build import GENIE_MUS, NAMES, make, one_bit_signal, printed_mu

__all__ = ["GENIE_MUS", "NAMES", "make", "one_bit_signal", "printed_mu"]
