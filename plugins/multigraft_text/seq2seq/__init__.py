"""Encoder-decoders: T5, BART, Marian and their relatives, and tasks from text to text."""
