"""Codecs in plain NumPy: signal model, quantizer, bit packing, integer encoder, metrics and the bundle.

Nothing here needs Keras, TensorFlow or a C compiler; every other component builds on it.
"""
