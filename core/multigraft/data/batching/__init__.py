"""Batching: which rows make which batch, and how they are loaded."""
