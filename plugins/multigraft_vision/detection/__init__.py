"""Object detection: an anchor-free head on a backbone's pyramid."""
