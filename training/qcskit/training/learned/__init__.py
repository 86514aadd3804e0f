"""Trained codecs as points of a sweep."""
