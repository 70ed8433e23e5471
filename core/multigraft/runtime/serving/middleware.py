"""Middleware: authorisation, bounds on size and time, and the headers of every answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from multigraft.runtime.serving.access import Token, is_welcome
from multigraft.runtime.serving.faults import Refusal
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.metrics import Meters
from multigraft.runtime.serving.responses import JSON, dump
from multigraft.runtime.serving.streaming import ERROR, EVENTS, event

log = logging.getLogger("multigraft")
requests_log = logging.getLogger("multigraft.requests")
OPEN = ("/", "/page/", "/healthz", "/readyz")
"""What needs no token: the page holds no secret and asks for the token itself."""
TRANSCRIBE = "/transcribe"
"""Where an answer that is told by events may take as long as each of them comes in time."""
GONE = 499
"""The status that is counted where the client left before its answer."""
SECURITY = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
}


@dataclass
class _Visit:
    """One request on its way."""

    scope: Scope
    send: Send
    started: float = field(default_factory=time.perf_counter)
    asked: float = 0.0
    """When its body was there."""
    status: int | None = None
    """Of the answer, once it has begun."""
    streams: bool = False
    """Whether it has begun to tell events, and more may follow."""
    latest: float = 0.0
    """When a part of it was sent last."""

    async def answer(self, message: Message) -> None:
        """Send a part of the answer, with the headers of every answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
            self.streams = headers.get("content-type", "").startswith(EVENTS)
        elif not message.get("more_body", False):
            self.streams = False
        await self.send(message)
        self.latest = time.perf_counter()

    def remaining(self, seconds: float) -> float:
        """How long more may be waited for an answer: so many seconds from the last body's byte to
        its end, or of a transcript told by events to each of them: a sound may be long."""
        by_parts = self.streams and self.scope["path"].endswith(TRANSCRIBE)
        since = self.latest if by_parts else self.asked
        return since + seconds - time.perf_counter()

    async def refuse(self, refusal: Refusal) -> None:
        """Send an error, unless an answer has begun; one that tells events ends with it."""
        if self.streams:
            body = event(ERROR, dump(refusal.body()))
            with suppress(TimeoutError):  # of a client that takes nothing
                async with asyncio.timeout(1):
                    await self.answer({"type": "http.response.body", "body": body})
        if self.status is not None:
            return
        headers = {"content-type": JSON, **refusal.headers}
        raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self.answer({"type": "http.response.start", "status": refusal.status, "headers": raw})
        await self.answer({"type": "http.response.body", "body": dump(refusal.body())})


class Border:
    """Outermost layer of the app: reads a body whole, within bounds, before anything else."""

    def __init__(
        self, app: ASGIApp, *, limits: Limits, meters: Meters, token: Token | None, local: bool
    ) -> None:
        """``local``: only names of this machine are answered to."""
        self._app = app
        self._limits = limits
        self._meters = meters
        self._token = token
        self._local = local
        self._held = 0
        """Bytes of all bodies in memory."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, send)
        body = bytearray()
        try:
            self._check(scope["path"], Headers(scope=scope))
            await self._read(body, Headers(scope=scope), receive)
            await self._go(visit, bytes(body), receive)
        except Refusal as refusal:
            await visit.refuse(refusal)
        except asyncio.CancelledError:  # the server stops and has waited as long as it may
            await visit.refuse(Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping"))
        except Exception:  # the client gets a word, the log the traceback
            log.exception("a request failed")
            await visit.refuse(
                Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log says why")
            )
        finally:
            self._held -= len(body)
            self._note(visit)

    def _check(self, path: str, headers: Mapping[str, str]) -> None:
        if not is_welcome(headers, local=self._local and self._token is None):
            raise Refusal(
                HTTPStatus.FORBIDDEN,
                "the request comes from another site, or for a name that is not this machine's; a "
                "server with a token answers to any name",
            )
        is_open = path in OPEN or path.startswith("/page/")
        if self._token and not is_open and not self._token.opens(headers.get("authorization", "")):
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                "a token is needed: Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )

    async def _read(self, body: bytearray, headers: Mapping[str, str], receive: Receive) -> None:
        """Receive the body. Raises Refusal for one that is too large or comes too slowly."""
        announced = headers.get("content-length", "")
        self._bound(int(announced) if announced.isdigit() else 0, 0)
        more = True
        try:
            async with asyncio.timeout(self._limits.timeout):
                while more:
                    async with asyncio.timeout(self._limits.read_timeout):
                        message = await receive()
                    part = message.get("body", b"")
                    self._bound(len(body) + len(part), len(part))
                    body += part
                    self._held += len(part)
                    more = message.get("more_body", False)
        except TimeoutError as error:
            raise Refusal(
                HTTPStatus.REQUEST_TIMEOUT,
                "the request's body came too slowly",
                {"Connection": "close"},
            ) from error

    def _bound(self, size: int, more: int) -> None:
        most = self._limits.max_body
        if size > most:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is too large; allowed are {most} bytes",
            )
        if self._held + more > most * self._limits.bodies:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too many large requests at once",
                {"Retry-After": "1"},
            )

    async def _go(self, visit: _Visit, body: bytes, receive: Receive) -> None:
        """Let the app answer; its work ends where time is up or the client leaves."""
        given = False

        async def replay() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        visit.asked = time.perf_counter()
        answering = asyncio.ensure_future(self._app(visit.scope, replay, visit.answer))
        leaving = asyncio.ensure_future(receive())
        both = {answering, leaving}
        try:
            while not any(each.done() for each in both):
                if (left := visit.remaining(self._limits.timeout)) <= 0:
                    break
                await asyncio.wait(both, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
            elif leaving.done():
                visit.status = visit.status or GONE
            else:
                raise Refusal(
                    HTTPStatus.GATEWAY_TIMEOUT, f"no answer within {self._limits.timeout:g} seconds"
                )
        finally:
            answering.cancel()
            leaving.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    def _note(self, visit: _Visit) -> None:
        """Count the request and write its line: never a body, a header or a query."""
        seconds = time.perf_counter() - visit.started
        status = visit.status or GONE
        self._meters.request(_route(visit.scope), status, seconds)
        requests_log.info(
            "%s %s %d %.1f ms",
            visit.scope["method"],
            quote(visit.scope["path"])[:200],
            status,
            1000 * seconds,
        )


def _route(scope: MutableMapping[str, Any]) -> str:
    """The route that answered, as it is written in the app; of unknown paths there is no end."""
    return str(getattr(scope.get("route"), "path", "other"))
