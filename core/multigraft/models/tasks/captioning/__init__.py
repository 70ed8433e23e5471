"""Captioning: a text about what other branches read, as of a picture (Vinyals et al. 2015)."""
