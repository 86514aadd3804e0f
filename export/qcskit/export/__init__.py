"""Everything becomes a bundle here: trained runs, and codecs that need no training; and a bundle a library."""
