"""``serve``: serve bundles over HTTP, with a page to try them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from multigraft.cli.bundle import OnePrecision, held
from multigraft.cli.shell import Shell

LIMITS = "Limits"
ACCESS = "Access"

Bundles = Annotated[
    list[str],
    typer.Argument(
        metavar="BUNDLE...",
        help="Bundles, or the runs that hold one; NAME=BUNDLE gives one another name.",
    ),
]
Host = Annotated[
    str, typer.Option("--host", help="The address to listen on.", rich_help_panel=ACCESS)
]
Port = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="0: a free one.", rich_help_panel=ACCESS)
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="Ask clients for the token in this file; MULTIGRAFT_TOKEN holds one too.",
        show_default=False,
        rich_help_panel=ACCESS,
    ),
]
Insecure = Annotated[
    bool, typer.Option("--insecure", help="Be public without a token.", rich_help_panel=ACCESS)
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, help="Compute one batch; unset: all allowed.", show_default=False
    ),
]
MaxBatch = Annotated[
    int, typer.Option("--max-batch", min=1, help="Rows computed together.", rich_help_panel=LIMITS)
]
WaitMs = Annotated[
    float,
    typer.Option(
        "--wait-ms", min=0, help="A row waits this long for company.", rich_help_panel=LIMITS
    ),
]
Queue = Annotated[
    int,
    typer.Option(
        "--queue", min=1, help="Rows that may wait; others get 429.", rich_help_panel=LIMITS
    ),
]
MaxItems = Annotated[
    int, typer.Option("--max-items", min=1, help="Items in one request.", rich_help_panel=LIMITS)
]
MaxBody = Annotated[
    float,
    typer.Option("--max-body-mb", min=0.001, help="Size of one request.", rich_help_panel=LIMITS),
]
Memory = Annotated[
    float,
    typer.Option(
        "--memory-mb",
        min=1,
        help="Decoded values and waiting rows together; what finds no room waits.",
        rich_help_panel=LIMITS,
    ),
]
Streams = Annotated[
    int,
    typer.Option(
        "--streams",
        min=1,
        help="Texts of a bundle told as they are written; more wait.",
        rich_help_panel=LIMITS,
    ),
]
MostTokens = Annotated[
    int,
    typer.Option(
        "--max-new-tokens",
        min=1,
        help="What may be asked to be written of a text.",
        rich_help_panel=LIMITS,
    ),
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=0.01, help="Seconds for an answer.", rich_help_panel=LIMITS),
]
ReadTimeout = Annotated[
    float,
    typer.Option(
        "--read-timeout",
        min=0.01,
        help="Seconds a client may keep still in a request.",
        rich_help_panel=LIMITS,
    ),
]
Drain = Annotated[
    float,
    typer.Option(
        "--drain", min=0.01, help="Seconds to finish in when stopped.", rich_help_panel=LIMITS
    ),
]


def serve(
    shell: Shell,
    bundles: Bundles,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    token_file: TokenFile = None,
    insecure: Insecure = False,
    precision: OnePrecision = None,
    threads: Threads = None,
    max_batch: MaxBatch = 32,
    wait_ms: WaitMs = 5,
    queue: Queue = 256,
    max_items: MaxItems = 64,
    max_body_mb: MaxBody = 32,
    memory_mb: Memory = 768,
    streams: Streams = 8,
    max_new_tokens: MostTokens = 1024,
    timeout: Timeout = 30,
    read_timeout: ReadTimeout = 10,
    drain: Drain = 20,
) -> None:
    """Answer over HTTP, and on a page in the browser; needs no torch."""
    from multigraft.runtime.serving import access, server
    from multigraft.runtime.serving.app import build_app
    from multigraft.runtime.serving.limits import MIB, Limits

    limits = Limits(
        max_batch=max_batch,
        wait_ms=wait_ms,
        queue=queue,
        max_items=max_items,
        max_body=round(max_body_mb * MIB),
        memory=round(memory_mb * MIB),
        streams=streams,
        max_new_tokens=max_new_tokens,
        timeout=timeout,
        read_timeout=read_timeout,
        drain=drain,
    )
    token = access.find_token(token_file)
    access.check_exposure(host, token=token, insecure=insecure)
    folders = {name: held(folder) for name, folder in server.names_of(bundles).items()}
    models = server.open_models(
        folders, precision=None if precision is None else precision.value, threads=threads
    )
    app = build_app(models, limits=limits, token=token, local=access.is_local(host))
    with access.listen(host, port) as listening, _request_lines(shell):
        shell.tell(f"{', '.join(folders)}: {access.address_of(listening)}")
        server.run(server.make_server(app, limits), listening)


@contextmanager
def _request_lines(shell: Shell) -> Iterator[None]:
    """A plain line per request on stderr: rich takes longer for one than many an answer does."""
    logger = logging.getLogger("multigraft.requests")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.WARNING if shell.quiet else logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
