"""From a training run to a bundle: integer grids, tables with the quantizer folded in, flatbuffer, decoder."""
