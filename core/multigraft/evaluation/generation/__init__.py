"""Texts that a model writes before it is exported: with the loop that its bundle has."""
