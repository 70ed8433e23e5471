"""Validation errors, field by field, in words for the person who wrote the data."""

from __future__ import annotations

import json
from typing import Any

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
        field = model.model_fields.get(part)
        inner = None if field is None else field.annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
