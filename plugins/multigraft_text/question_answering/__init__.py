"""Extractive question answering: the piece of a passage that answers a question."""
