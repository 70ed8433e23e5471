"""Preparation of corpora: clean, filter, deduplicate and split, in memory that does not grow."""
