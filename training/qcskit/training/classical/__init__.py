"""Classical codecs as points of a sweep."""
