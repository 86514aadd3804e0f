"""Estimate and compress on the device: an exact search of the support, its coefficients quantized."""
