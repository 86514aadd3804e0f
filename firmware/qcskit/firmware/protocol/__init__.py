"""The serial protocol of docs/protocol.md, once: framing, messages, and a plain connection. `hil` builds on it."""
