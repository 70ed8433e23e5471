"""Reports as a page and as a table: curves, confusions, intervals."""
