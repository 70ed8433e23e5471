"""OpenAPI schema of the routes that answer, which read their bodies themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from multigraft.contracts.records import Option
from multigraft.runtime.describing import shown

_VALUE = {
    "description": "A text, or a file in base64. Of several columns, an object by their names; its "
    "values are texts, but for those of a table's columns.",
    "anyOf": [{"type": "string"}, {"type": "object"}],
}
_ERROR = {
    "type": "object",
    "required": ["error", "item"],
    "properties": {
        "error": {"type": "string"},
        "item": {
            "type": ["integer", "null"],
            "description": "Which item, from 0; null where it is about the request.",
        },
    },
}


def body(models: Sequence[Mapping[str, Option]]) -> dict[str, Any]:
    """What a request may hold: values, and what one of the models may be asked."""
    asked = {name: _asked(each) for asks in models for name, each in shown(asks).items()}
    listed = {"anyOf": [_VALUE, {"type": "array", "items": _VALUE}]}
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    json = {"type": "object", "required": ["inputs"], "additionalProperties": False}
    content = {
        "application/json": {"schema": {**json, "properties": {"inputs": listed, **asked}}},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"inputs": files, **asked}}
        },
    }
    return {"requestBody": {"required": True, "content": content}}


def _asked(option: Mapping[str, Any]) -> dict[str, Any]:
    """What may be asked, in the words of JSON schema."""
    words = {"help": "description", "types": "type", "low": "minimum", "high": "maximum"}
    words |= {"choices": "enum", "default": "default"}
    return {words[name]: value for name, value in option.items()}


def _said(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ERROR}}}


ERRORS: dict[int | str, dict[str, Any]] = {
    401: _said("No token, or a wrong one"),
    404: _said("No such model"),
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "An answer for each item, in order; an error in the place of one that "
        "cannot be read",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "model": {"type": "string"},
                        "answers": {
                            "type": "array",
                            "items": {"anyOf": [{"type": "object"}, _ERROR]},
                        },
                        "milliseconds": {"type": "number"},
                    },
                }
            },
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "Where a text is written and Accept asks for it: events "
                    "`piece` ({text}), then `answer` (as in JSON), or `error` ({error, item})",
                }
            },
        },
    },
    **ERRORS,
    400: _said("The body is not what its content type says"),
    406: _said("Events are asked for of a model that answers in one step"),
    408: _said("The body came too slowly"),
    413: _said("Too many bytes or items"),
    415: _said("Another content type"),
    422: _said("No item could be read, or the request has another shape"),
    429: _said("The queue is full; Retry-After says when to come back"),
    504: _said("No answer in time"),
}
TRANSCRIPTS: dict[int | str, dict[str, Any]] = {
    **RESPONSES,
    200: {
        "description": "The transcript: text and segments with their times, in seconds",
        "content": {
            "application/json": RESPONSES[200]["content"]["application/json"],
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "Where Accept asks for it: events `segment` (start, end, "
                    "text), `heard` ({seconds}) behind each window, then `answer` (as in JSON), "
                    "or `error` ({error, item})",
                }
            },
        },
    },
}
