"""Hardware in the loop: talk to a board over any serial link, compare every byte with the reference, measure.

Needs no TensorFlow. `Device` is the public face; `docs/protocol.md` is the wire format, `docs/hil.md` the guide.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qcskit.hil.device import Device

__all__ = ["Device"]


def __getattr__(name: str) -> Any:
    """Import `Device` when it is asked for: pytest loads the plugin of this package at every start."""
    if name == "Device":
        from qcskit.hil.device import Device

        return Device
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
