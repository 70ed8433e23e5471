"""Models that write tokens: their decoder as a graph with a cache, measured and timed as it will be
used."""
