"""Compute: devices, processes that train together, determinism."""
