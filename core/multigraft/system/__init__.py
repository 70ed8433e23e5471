"""The machine: files, caches, locks, devices and processes."""
