"""Core's answers, which a bundle may name: it then answers without the plugin of its task."""

from multigraft.runtime.answers.registry import ANSWERS, make_answers, name_of

__all__ = ["ANSWERS", "make_answers", "name_of"]
