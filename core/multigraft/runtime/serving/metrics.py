"""Prometheus metrics of a server."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Meters:
    """The counters of one server, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self.requests = Counter(
            "multigraft_requests",
            "Requests by route and status.",
            ["route", "status"],
            registry=own,
        )
        self.latency = Histogram(
            "multigraft_request_seconds",
            "From the head of a request to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=own,
        )
        self.rows = Counter("multigraft_rows", "Items answered.", ["model"], registry=own)
        self.errors = Counter(
            "multigraft_row_errors", "Items that could not be answered.", ["model"], registry=own
        )
        self.depth = Gauge(
            "multigraft_queue_rows", "Rows taken and not yet answered.", ["model"], registry=own
        )
        self._batches = Histogram(
            "multigraft_batch_rows",
            "Rows computed together.",
            ["model"],
            buckets=ROWS,
            registry=own,
        )
        self._compute = Histogram(
            "multigraft_batch_seconds", "Time of a batch.", ["model"], buckets=SECONDS, registry=own
        )

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self.requests.labels(route, str(status)).inc()
        self.latency.labels(route).observe(seconds)

    def batch(self, model: str, rows: int, seconds: float) -> None:
        """Count one batch."""
        self._batches.labels(model).observe(rows)
        self._compute.labels(model).observe(seconds)

    def text(self) -> bytes:
        """Everything counted so far, in Prometheus's text format."""
        return generate_latest(self._registry)
