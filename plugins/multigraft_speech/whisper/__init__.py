"""Whisper (Radford et al. 2022): an encoder of sound and a decoder that writes what is said."""
