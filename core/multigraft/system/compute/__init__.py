"""What computes: devices, processes that train together, determinism."""
