"""Bundles of the coded scheme, from a table [coded]."""
