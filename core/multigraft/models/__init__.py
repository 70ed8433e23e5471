"""Models: backbones with a head, what of them learns, and the tasks that the core brings."""
