"""Response bodies, made from answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import Response

from multigraft.runtime.serving.batcher import Outcome
from multigraft.runtime.serving.faults import Fault
from multigraft.system.json_numbers import finite

JSON = "application/json"


def respond(model: str, outcomes: Sequence[Outcome], *, seconds: float) -> Response:
    """The answers in order, errors in their places.

    The status is 200 where an item was answered, or none was asked for; else that of the first
    fault.
    """
    answers = [
        outcome.body(item) if isinstance(outcome, Fault) else outcome
        for item, outcome in enumerate(outcomes)
    ]
    content: dict[str, Any] = {
        "model": model,
        "answers": answers,
        "milliseconds": round(1000 * seconds, 3),
    }
    faults = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    if faults and len(faults) == len(outcomes):
        return reply({**content, **answers[0]}, max(fault.status for fault in faults))
    return reply(content)


def reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as a response."""
    return Response(dump(content), status, dict(headers or {}), JSON)


def dump(content: Any) -> bytes:
    """JSON in UTF-8; numbers that it has no word for become null, half surrogates their escapes."""
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(finite(content), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
