"""Decoding of connectionist temporal classification (CTC, Graves et al. 2006), in numpy.

A graph gives log-probabilities [T, V] of the tokens at each frame, one of which is the blank.
Frames are read as tokens by dropping what repeats the frame before, and then the blanks.
"""
