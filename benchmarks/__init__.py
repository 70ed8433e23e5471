"""Ours beside what a user would otherwise run, by turns in one process: `python -m benchmarks
--help`."""
