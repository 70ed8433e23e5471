"""The acceptance gate: parity, held-out metric and latency decide which graph ships."""
