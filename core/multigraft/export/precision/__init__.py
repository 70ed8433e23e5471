"""Precisions: fp16 and int8 graphs, and the layers of these that stay in float."""
