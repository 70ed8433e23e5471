"""Evaluation: numbers with intervals, and how they are shown."""
