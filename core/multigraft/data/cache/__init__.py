"""Cached reading: decoded rows kept on disk, found by their content."""
