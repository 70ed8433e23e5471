"""Validation errors, field by field, in words for the person who wrote the data."""

from __future__ import annotations

import json
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from multigraft.errors import did_you_mean

FORMS = ("<one>", "<by branch>")
"""Tags of fields that may be written in two forms; nobody writes them."""


def problem_lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each problem: the field of ``model``, what was found, what is allowed."""
    return [_line(problem, model) for problem in error.errors()]


def short(value: Any) -> str:
    """A value as JSON, in at most 60 characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _line(problem: Any, model: type[BaseModel]) -> str:
    location = [str(part) for part in problem["loc"] if part not in FORMS]
    field = ".".join(location) or model.__name__.lower()
    kind = problem["type"]
    if kind == "extra_forbidden":
        return (
            f"{field}: no such field; {did_you_mean(location[-1], _fields_beside(location, model))}"
        )
    if kind == "missing":
        return f"{field}: is missing"
    return f"{field}: found {short(problem['input'])}; {_wanted(problem)}"


def _wanted(problem: Any) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    return "it " + message[len("Input ") :] if message.startswith("Input ") else message


def _fields_beside(location: list[str], model: Any) -> list[str]:
    """The fields allowed where the last part of ``location`` stands."""
    for part in location[:-1]:
        model = _inside(model, part)
    return list(model.model_fields) if _is_model(model) else []


def _inside(kind: Any, part: str) -> Any:
    """What stands under a field of a model, or under a key of a mapping."""
    if get_origin(kind) is dict:
        inner = get_args(kind)[1]
        return get_args(inner)[0] if get_origin(inner) is Annotated else inner
    field = kind.model_fields.get(part) if _is_model(kind) else None
    return None if field is None else field.annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
