"""Precisions: fp16 and int8 graphs, and what is repaired where they lose accuracy."""
