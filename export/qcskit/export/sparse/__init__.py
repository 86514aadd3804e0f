"""Bundles of sparse codecs, from a table [sparse]."""
