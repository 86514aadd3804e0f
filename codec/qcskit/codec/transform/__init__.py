"""Codecs of plain sensor windows: integer transform and range coder, or without loss (docs/transform.md)."""
