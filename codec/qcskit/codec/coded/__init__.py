"""Coded compressive sensing, compute-and-recover: Lee & Hong, arXiv 1601.06899 (docs/coded.md).

A sparse x over F_p is compressed to a syndrome, the syndrome is protected by a lattice code, and both together are one
real sensing matrix A. The device only folds its measurements modulo a period and keeps p levels; the host decodes and
recovers x exactly.
"""
