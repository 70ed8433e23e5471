"""Scores of generated texts: numbers of each row, and the corpus figure of their sums.

A row's counts are additive. A figure is computed from a sum of rows, so that a bootstrap over rows
gives the interval of the corpus figure itself and not of a mean of rows.
"""
