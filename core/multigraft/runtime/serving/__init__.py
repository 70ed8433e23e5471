"""HTTP serving of bundles, without torch: dynamic batching, bounds on everything, a page to try."""
