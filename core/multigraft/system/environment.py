"""Environment variables: which plugins are loaded, and whether their calls are traced."""

WANTED = "MULTIGRAFT_PLUGINS"
"""Restricts loading: names, comma between them; empty for none."""
TRACE = "MULTIGRAFT_TRACE"
"""Set, it has every hook call logged."""
