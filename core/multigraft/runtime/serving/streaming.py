"""Texts that are told while they are written, as server-sent events."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from multigraft.contracts.types import Answer
from multigraft.runtime.generation.generator import Steps
from multigraft.runtime.read_value import ReadValue
from multigraft.runtime.serving.batcher import Batcher, Outcome
from multigraft.runtime.serving.faults import Fault, Refusal
from multigraft.runtime.serving.request_values import Asked
from multigraft.runtime.serving.responses import dump

log = logging.getLogger("multigraft")
EVENTS = "text/event-stream"
PIECE, ANSWER, ERROR = "piece", "answer", "error"
"""The events of a stream: a piece of the text; the whole answer, or what went wrong, at its end."""
Told = AsyncGenerator[str | Outcome]
"""Pieces of a text, and at the end its answer, or what was wrong."""


def event(name: str, content: bytes) -> bytes:
    """One server-sent event, whose content is JSON in one line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), content)


def wants_events(accept: str, *, writes: bool) -> bool:
    """Whether a request is to be answered by events, as its ``Accept`` says. Raises Refusal where
    it takes nothing else of a model that has nothing to tell piece by piece.

    >>> wants_events("*/*", writes=True), wants_events("text/event-stream", writes=True)
    (False, True)
    """
    kinds = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    if EVENTS not in kinds:
        return False
    if not writes and not kinds & {"application/json", "application/*", "*/*"}:
        raise Refusal(
            HTTPStatus.NOT_ACCEPTABLE,
            f"this model answers in one step, so there is nothing to stream; leave out {EVENTS}",
        )
    return writes


async def stream(
    batcher: Batcher, wanted: Asked, respond: Callable[[Sequence[Outcome]], Response]
) -> Response:
    """Answer one value by events. What goes wrong before the first piece is an answer by itself,
    with a status of its own. Raises Refusal."""
    if len(wanted.values) != 1:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"one text is streamed at a time, and the request holds {len(wanted.values)}",
        )
    pieces = told(batcher, wanted.values[0], wanted.asked)
    first = await anext(pieces)
    if isinstance(first, Fault):
        return respond([first])
    return EventStream(_events(first, pieces, respond))


class EventStream(StreamingResponse):
    """Server-sent events; their work ends where the client leaves or time is up."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        self._events = events
        # a proxy that collects an answer would hold the pieces back
        super().__init__(self._events, media_type=EVENTS, headers={"x-accel-buffering": "no"})

    async def stream_response(self, send: Send) -> None:
        """Send the events."""
        async with aclosing(self._events):
            await super().stream_response(send)


async def _events(
    first: str | Answer, pieces: Told, respond: Callable[[Sequence[Outcome]], Response]
) -> AsyncGenerator[bytes]:
    async with aclosing(pieces):
        found: str | Outcome = first
        while isinstance(found, str):
            if found:
                yield event(PIECE, dump({"text": found}))
            found = await anext(pieces)
    whole = bytes(respond([found]).body)
    yield event(ERROR, dump(found.body(0))) if isinstance(found, Fault) else event(ANSWER, whole)


async def told(batcher: Batcher, value: Any, asked: Mapping[str, Any]) -> Told:
    """The pieces of one text, and at the end its answer, or a Fault. Raises Refusal where the
    queue is full.

    The worker writes a token of it at a time, and between two whatever else there is to do.
    """
    if isinstance(value, Fault) or asked["method"] == "beam":  # which knows its text at the end
        yield (await batcher.answers([value], asked))[0]
        return
    with batcher.admitted(1):
        async with batcher.streams:
            read, share = await batcher.read(value)
            try:
                if isinstance(read, Fault):
                    yield read
                    return
                async with aclosing(_written(batcher, ReadValue(value, (read,), asked))) as text:
                    async for each in text:
                        yield each
            finally:
                share.give_back()


async def _written(batcher: Batcher, value: ReadValue) -> Told:
    text = batcher.model.steps(value)
    try:
        while True:
            found = await batcher.compute(_step, text, batcher.model.name)
            if found:
                yield found
            if not isinstance(found, str):
                return
    finally:
        with suppress(RuntimeError):  # the server stops, and its worker takes nothing more
            batcher.compute(text.close)  # behind the step that it may be at


def _step(text: Steps, name: str) -> str | Outcome:
    """The next piece, or at the end the answer."""
    try:
        return next(text)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    except Exception:  # whatever the graph raises ends this text alone
        log.exception("%s: the model failed on a text", name)
        return Fault("the model could not answer it", HTTPStatus.INTERNAL_SERVER_ERROR)
