"""Decoders of models that write tokens: exported with a cache, measured, timed."""
