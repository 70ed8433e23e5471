"""Audio Spectrogram Transformer (Gong et al. 2021): patches of a spectrogram, read as a picture."""
