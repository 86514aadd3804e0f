"""Bundles of classical codecs, from a table [classical]."""
