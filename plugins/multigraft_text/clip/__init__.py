"""Text towers of dual encoders: CLIP's and SigLIP's, as transformers publishes them."""
