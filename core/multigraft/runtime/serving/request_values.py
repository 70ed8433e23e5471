"""Request bodies, parsed to the values that a reader takes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Protocol

from fastapi import Request

from multigraft.contracts.records import Option
from multigraft.errors import BundleError, GenerationError, PredictError, did_you_mean
from multigraft.runtime.serving.faults import Fault, Refusal
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.model import MOST_WRITTEN, Form
from multigraft.runtime.serving.multipart import parse_form

INPUTS = "inputs"


@dataclass(frozen=True)
class Asked:
    """A parsed request."""

    values: Sequence[Any]
    """What the reader takes; a Fault in the place of one that cannot be handed to it."""
    asked: Mapping[str, Any]
    """Of the answers, as `Model.check` gives it."""


class Askable(Protocol):
    """What is asked: a model, or its transcripts."""

    @property
    def form(self) -> Form:
        """How a value is given."""
        ...

    @property
    def branches(self) -> Mapping[str, Form]:
        """The form of each value of several; empty where there is one."""
        ...

    @property
    def asks(self) -> Mapping[str, Option]:
        """What may be asked."""
        ...

    def check(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is asked, the defaults filled in. Raises PredictError, or GenerationError."""
        ...


async def asked(request: Request, model: Askable, limits: Limits) -> Asked:
    """Understand a request. Raises Refusal where it is malformed or holds too many items."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        found = _from_json(await request.body(), model, limits)
    elif kind == "multipart/form-data":
        found = _from_form(await request.body(), request.headers["content-type"], model, limits)
    else:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the content type is {kind or 'not given'}; allowed: application/json, "
            "multipart/form-data",
        )
    if len(found.values) > limits.max_items:
        raise Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the request holds {len(found.values)} items; allowed are {limits.max_items}",
        )
    return found


def _from_json(body: bytes, model: Askable, limits: Limits) -> Asked:
    try:
        raw = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(raw, dict) or INPUTS not in raw:
        raise _unfit(f'the body should be {{"{INPUTS}": one value or a list of them}}')
    keys = (INPUTS, *model.asks)
    for key in raw:
        if key not in keys:
            raise _unfit(f"unknown key {key!r}; {did_you_mean(key, keys)}")
    inputs = raw[INPUTS] if isinstance(raw[INPUTS], list) else [raw[INPUTS]]
    asked = {key: value for key, value in raw.items() if key != INPUTS}
    return Asked([_any_value(each, model) for each in inputs], _checked(asked, model, limits))


def _from_form(body: bytes, content_type: str, model: Askable, limits: Limits) -> Asked:
    values: list[Any] = []
    asked: dict[str, Any] = {}
    most = limits.max_items + 1  # of items; one more is refused with the right words
    for part in parse_form(body, content_type, most=most):
        content = bytes(part.content)
        if part.is_file:
            values.append(_content(content, model))
        elif part.name in model.asks:
            if part.name in asked:
                raise _unfit(f"{part.name} is given twice")
            asked[part.name] = _plain(content.decode("utf-8", "replace"))
        elif part.name == INPUTS:
            text = _text(content, "text")
            values.append(text if isinstance(text, Fault) else _any_value(text, model))
        elif model.branches:
            raise _unfit(
                f"unknown field {part.name!r}; several branches are asked in JSON, files in "
                f"base64: an object with {', '.join(map(repr, model.branches))}"
            )
        else:
            raise _unfit(
                f"unknown field {part.name!r}; allowed: files under any name, "
                f"{', '.join((INPUTS, *model.asks))}"
            )
    return Asked(values, _checked(asked, model, limits))


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys stand once: of two lists of inputs one would be ignored."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _any_value(raw: Any, model: Askable) -> Any:
    """What the reader takes for a value in JSON: of several branches a mapping."""
    if not model.branches:
        return _value(raw, model.form)
    if not isinstance(raw, Mapping):
        wanted = ", ".join(map(repr, model.branches))
        return Fault(f"found {_kind(raw)}; an object with {wanted} is needed")
    given = {branch: each for branch, each in raw.items() if each is not None}
    if strange := [branch for branch in given if branch not in model.branches]:
        return Fault(f"unknown branch {strange[0]!r}; {did_you_mean(strange[0], model.branches)}")
    values = {branch: _value(each, model.branches[branch]) for branch, each in given.items()}
    faults = {name: value for name, value in values.items() if isinstance(value, Fault)}
    for branch, fault in faults.items():
        return replace(fault, error=f"{branch}: {fault.error}")
    return values


def _value(raw: Any, form: Form) -> Any:
    """What the reader takes for one value in JSON: of several columns a tuple."""
    if isinstance(raw, Mapping):
        return dict(raw) if form.gathers else _columns(raw, form)
    if not isinstance(raw, str):
        return Fault(
            f"found {_kind(raw)}; {'a text' if form.typed else 'a file in base64'} is needed"
        )
    return raw if form.typed else _decoded(raw)


def _columns(raw: Mapping[str, Any], form: Form) -> Any:
    """An object with a value for each column; the last ones may be left out."""
    for key in raw:
        if key not in form.columns:
            return Fault(f"unknown column {key!r}; {did_you_mean(key, form.columns)}")
    names = form.columns[: max(1, len(raw))]
    if missing := [name for name in names if name not in raw]:
        return Fault(f"the column {missing[0]!r} is missing")
    given = [raw[name] for name in names]
    if any(isinstance(each, Mapping) for each in given):
        return Fault("found an object in a column; a string is needed")
    values = [_value(each, form) for each in given]
    faults = [value for value in values if isinstance(value, Fault)]
    if faults:
        return faults[0]
    return values[0] if len(values) == 1 else tuple(values)


def _content(content: bytes, model: Askable) -> Any:
    """What the reader takes for an uploaded file."""
    if model.branches:
        return Fault(
            "a file alone is no value of several branches; send JSON, with a file in base64 for "
            f"each: {', '.join(map(repr, model.branches))}"
        )
    if not model.form.typed:
        return content
    return _text(content, "file")


def _text(content: bytes, what: str) -> str | Fault:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Fault(f"the {what} is not UTF-8: byte {error.start} is {content[error.start]:#04x}")


def _decoded(text: str) -> Any:
    """The bytes behind base64, or behind a ``data:`` address that holds it.

    Never the text itself: a reader would take it for the path of a file on this machine.
    """
    head, comma, rest = text.partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        text = rest
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        return Fault(f"is not base64: {error}")


def _checked(asked: Mapping[str, Any], model: Askable, limits: Limits) -> Mapping[str, Any]:
    try:
        checked = model.check(asked)
    except (PredictError, GenerationError, BundleError) as error:
        raise _unfit(str(error)) from error
    most = limits.max_new_tokens
    if MOST_WRITTEN in asked and (found := checked[MOST_WRITTEN]) > most:
        raise _unfit(f"{MOST_WRITTEN} is {found}; this server writes {most} at most")
    return checked


def _plain(text: str) -> Any:
    """What a field of a form says: a number, true or false, or the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _unfit(error: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, error)


def _kind(raw: Any) -> str:
    names = {
        "NoneType": "null",
        "int": "a number",
        "float": "a number",
        "bool": "true or false",
        "list": "a list",
    }
    return names.get(type(raw).__name__, type(raw).__name__)
