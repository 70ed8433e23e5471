"""Explanations of answers, from a bundle alone: which units of a value raise the number that is
answered, and how far that can be trusted."""
