"""Layouts of the tables that the fast int8 kernels read, one module per family of instruction sets (qcs_layout.h)."""
