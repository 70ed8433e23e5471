"""Run a server of bundles, and shut it down in order."""

from __future__ import annotations

import logging
import re
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import uvicorn

from multigraft.errors import ServeError
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.describing import bundle_name
from multigraft.runtime.loading import load
from multigraft.runtime.serving.idle_connections import Sweep
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.middleware import Border
from multigraft.runtime.serving.model import Model

log = logging.getLogger("multigraft")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
HEAD = 32 * 1024
"""Bytes of a request's head, at most."""
IDLE = 5
"""Seconds that a connection is kept between requests, at most."""


def open_models(
    folders: Mapping[str, Path],
    *,
    precision: str | None = None,
    threads: int | None = None,
    catalog: Catalog | None = None,
) -> list[Model]:
    """Load each bundle under its name. Raises BundleError, or ServeError for an unfit name."""
    catalog = catalog if catalog is not None else Catalog()
    for name in folders:
        if not NAME.fullmatch(name):
            raise ServeError(
                f"model name {name!r}: letters, digits, '.', '_' and '-' are allowed; say "
                "NAME=BUNDLE"
            )
    models = []
    for name, folder in folders.items():
        predictor = load(folder, precision=precision, threads=threads, catalog=catalog)
        models.append(Model(name, predictor, predictor.modality))
    return models


def names_of(bundles: Sequence[str]) -> dict[str, Path]:
    """Names for bundles given as ``NAME=FOLDER`` or as a folder, which `bundle_name` names.

    >>> list(names_of(["models/reviews", "b=models/other"]))
    ['reviews', 'b']
    """
    found: dict[str, Path] = {}
    for given in bundles:
        name, told, rest = given.partition("=")
        told = told if NAME.fullmatch(name) else ""
        folder = Path(rest if told else given)
        chosen = name if told else bundle_name(folder)
        if chosen in found:
            raise ServeError(
                f"two bundles are named {chosen!r}: {found[chosen]} and {folder}; say NAME=BUNDLE"
            )
        found[chosen] = folder
    return found


def make_server(app: Border, limits: Limits) -> uvicorn.Server:
    """A server for the app that was not started yet."""
    idle = max(1, min(IDLE, round(limits.read_timeout)))
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
        h11_max_incomplete_event_size=HEAD,
        timeout_graceful_shutdown=max(1, round(limits.drain)),
        timeout_keep_alive=idle,
        timeout_notify=0,
    )
    server = uvicorn.Server(config)
    config.callback_notify = Sweep(
        lambda: server.server_state.connections, patience=limits.read_timeout, idle=idle
    )
    return server


def run(server: uvicorn.Server, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT: then take no more, finish what is under way, and return."""
    with _outlived():
        server.run(sockets=[listening])


@contextmanager
def _outlived() -> Iterator[None]:
    """uvicorn answers the signal that stopped it once more when it has stopped; let that pass."""

    def pass_by(number: int, frame: FrameType | None) -> None:
        del frame
        log.info("stopped by %s", signal.Signals(number).name)

    heeded = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, pass_by) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
