"""Checks of rows before training: labels, leaks between splits, suspicious values."""
