"""Transcripts of long sounds, told a segment at a time as server-sent events."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from multigraft.contracts.types import Answer
from multigraft.errors import PredictError, RowError
from multigraft.runtime.serving.batcher import Batcher, Outcome
from multigraft.runtime.serving.faults import Fault, Refusal
from multigraft.runtime.serving.model import Transcripts
from multigraft.runtime.serving.request_values import Asked
from multigraft.runtime.serving.responses import dump
from multigraft.runtime.serving.streaming import ANSWER, ERROR, EventStream, event
from multigraft.runtime.transcribing.transcriber import Heard, whole

log = logging.getLogger("multigraft")
SEGMENT, HEARD = "segment", "heard"
"""Events: a segment, and how much of the sound was heard, behind every window."""
Respond = Callable[[Sequence[Outcome]], Response]
Told = AsyncGenerator[Heard | Outcome]
"""Windows of a sound, and at the end its transcript, or what was wrong."""


def transcripts_of(batcher: Batcher) -> Transcripts:
    """How a model is asked for transcripts. Raises Refusal where it gives none."""
    if (found := batcher.model.transcripts) is None:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{batcher.model.name} does not transcribe sounds; ask for predict",
        )
    return found


async def transcribed(
    batcher: Batcher, wanted: Asked, respond: Respond, *, events: bool
) -> Response:
    """The transcript of one sound, by events or at once. What goes wrong before the first window
    was heard is an answer by itself, with a status of its own. Raises Refusal."""
    if len(wanted.values) != 1:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"one sound is transcribed at a time, and the request holds {len(wanted.values)}",
        )
    told = _told(batcher, wanted.values[0], wanted.asked)
    if not events:
        return respond([await _last(told)])
    first = await anext(told)
    return (
        EventStream(_events(first, told, respond)) if isinstance(first, Heard) else respond([first])
    )


async def _last(told: Told) -> Outcome:
    async with aclosing(told):
        async for found in told:
            if not isinstance(found, Heard):
                return found
    raise AssertionError("a transcript ends with its answer")


async def _events(first: Heard, told: Told, respond: Respond) -> AsyncGenerator[bytes]:
    async with aclosing(told):
        found: Heard | Outcome = first
        while isinstance(found, Heard):
            for segment in found.segments:
                yield event(SEGMENT, dump(segment))
            yield event(HEARD, dump({"seconds": round(found.until, 3)}))
            found = await anext(told)
    answer = bytes(respond([found]).body)
    yield event(ERROR, dump(found.body(0))) if isinstance(found, Fault) else event(ANSWER, answer)


async def _told(batcher: Batcher, value: Any, asked: Mapping[str, Any]) -> Told:
    """The windows of a sound, and its transcript, or a Fault. Raises Refusal where the queue is
    full.

    The worker hears a window of it at a time, and between two whatever else there is to do.
    """
    if isinstance(value, Fault):
        yield value
        return
    with batcher.admitted(1):
        async with batcher.streams:
            windows = transcripts_of(batcher).windows(value, asked)
            segments: list[Answer] = []
            try:
                while found := await batcher.compute(_next, windows, batcher.model.name):
                    yield found
                    if isinstance(found, Fault):
                        return
                    segments += found.segments
                yield whole(segments)
            finally:
                with suppress(RuntimeError):  # the server stops, and its worker takes nothing more
                    batcher.compute(windows.close)  # behind the window that it may be at


def _next(windows: Iterator[Heard], name: str) -> Heard | Fault | None:
    """The next window, or None at the end."""
    try:
        return next(windows, None)
    except (RowError, PredictError) as error:
        return Fault(str(error))
    except Exception:  # whatever the graph raises ends this transcript alone
        log.exception("%s: the model failed on a sound", name)
        return Fault("the model could not answer it", HTTPStatus.INTERNAL_SERVER_ERROR)
