"""One self-contained HTML page from a bundle and what was measured on it. Needs the extra `report`."""
