"""Contrastive learning of two branches: a dual encoder, which puts the values of a row near each
other."""
