"""Explanations over HTTP: one value at a time, computed in parts between what others ask."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError, PredictError, RowError
from multigraft.runtime.explain.subject import Compute
from multigraft.runtime.serving.batcher import Batcher, Outcome
from multigraft.runtime.serving.faults import Fault, Refusal
from multigraft.runtime.serving.model import Explains
from multigraft.runtime.serving.request_values import Asked

log = logging.getLogger("multigraft")


def explains_of(batcher: Batcher) -> Explains:
    """How a model is asked for explanations. Raises Refusal with why it gives none."""
    if (found := batcher.model.explains) is None:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, batcher.model.unexplained)
    return found


async def explained(batcher: Batcher, wanted: Asked) -> Outcome:
    """The explanation of one value, or what is wrong with it. Raises Refusal where another number
    of values is given, or the queue is full."""
    if len(wanted.values) != 1:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"one value is explained at a time, and the request holds {len(wanted.values)}",
        )
    (value,) = wanted.values
    if isinstance(value, Fault):
        return value
    with batcher.admitted(1):
        async with batcher.streams:
            read, share = await batcher.read(value)
            if isinstance(read, Fault):
                return read
            try:
                return await _in_a_thread(batcher, value, wanted.asked)
            finally:
                share.give_back()


async def _in_a_thread(batcher: Batcher, value: Any, asked: Mapping[str, Any]) -> Outcome:
    """Explain beside the event loop; where the request ends, so does the work, after its part."""
    left = threading.Event()
    try:
        return await asyncio.to_thread(_explain, batcher, value, asked, left)
    finally:
        left.set()


def _explain(
    batcher: Batcher, value: Any, asked: Mapping[str, Any], left: threading.Event
) -> Outcome:
    explains = explains_of(batcher)

    def in_turn(compute: Compute) -> Compute:
        def outputs(rows: Sequence[Arrays]) -> Sequence[Arrays]:
            if left.is_set():
                raise PredictError("nobody waits for it any more")
            return batcher.submit(compute, rows).result()

        return outputs

    try:
        return explains.explain(value, asked, in_turn)
    except (RowError, PredictError) as error:
        return Fault(str(error))
    except MultigraftError:  # of a plugin's explainer, or the graph
        log.exception("%s: an explanation failed", batcher.model.name)
        return Fault("it could not be explained", HTTPStatus.INTERNAL_SERVER_ERROR)
