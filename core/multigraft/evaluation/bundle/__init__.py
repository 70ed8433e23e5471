"""Evaluation of a bundle on rows of a table, without torch."""
