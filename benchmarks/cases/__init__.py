"""Benchmark cases: a module each, with its settings on top and `cases`, which gives them."""
