"""Sentence similarity: embeddings that lie near each other where texts belong together."""
