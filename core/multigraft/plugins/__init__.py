"""Plugins: found, admitted whole or not at all, and looked up by name."""
