"""Pictures of any number of channels, at their own depth: satellite bands, microscopy, 16 bits."""
