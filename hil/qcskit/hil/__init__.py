"""Hardware in the loop: talk to a board over any serial link, compare every byte with the reference, measure.

Needs no TensorFlow. `Device` is the public face; `docs/protocol.md` is the wire format, `docs/hil.md` the guide.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcskit.hil.device import Device
else:  # pytest loads the plugin of this package at every start
    from qcskit.codec.lazy import lazy

    __getattr__, __dir__ = lazy(__name__, {"Device": "qcskit.hil.device:Device"})

__all__ = ["Device"]
