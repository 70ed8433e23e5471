"""Bundles over HTTP, without torch: batches out of many requests, bounds on everything, a page to
try it."""
