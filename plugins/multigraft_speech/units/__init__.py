"""Masked prediction of hidden units (HuBERT, Hsu et al. 2021): clusters of frames as targets."""
