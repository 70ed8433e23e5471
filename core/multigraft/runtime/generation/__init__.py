"""Texts written by a bundle's decoder, one token after another, without torch."""

from multigraft.runtime.generation.generator import Generator, generator_of

__all__ = ["Generator", "generator_of"]
