"""From a recording to a transform codec: rows, step, symbol tables, decoder."""
