"""A trained run becomes a bundle: int8 flatbuffer, integer tables, C text, decoder, golden vectors, manifest."""
