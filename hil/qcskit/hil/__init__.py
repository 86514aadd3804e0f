"""Hardware in the loop: talk to a board over any serial link, compare every byte with the reference, measure.

Needs no TensorFlow. `Device` is the public face; `docs/protocol.md` is the wire format, `docs/hil.md` the guide.
"""

from qcskit.hil.device import Device

__all__ = ["Device"]
