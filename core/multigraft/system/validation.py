"""Validation errors, field by field, in words for the person who wrote the data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from multigraft.errors import did_you_mean

FORMS = ("<one>", "<by branch>")
"""Tags of fields that may be written in two forms; nobody writes them."""
KINDS = re.compile(r"constrained-\w+|(?:literal|tuple|list|dict)\[.*\]")
"""What pydantic calls the kinds of values of which a field may hold any; nobody writes them."""
WANTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping of fields",
}
SHOULD = "it should be "


def problem_lines(
    error: ValidationError,
    model: type[BaseModel],
    other_names: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    """One line for each problem: the field of ``model``, what was found, what is allowed.

    ``other_names`` are names by which people know fields from elsewhere, and the fields' own.
    """
    told: dict[str, list[str]] = {}
    for problem in error.errors():
        found, wanted = _line(problem, model, other_names)
        told.setdefault(found, []).append(wanted)
    return [found + _any_of(list(dict.fromkeys(wanted))) for found, wanted in told.items()]


def _any_of(wanted: list[str]) -> str:
    """What is wanted of a field that may hold any of some kinds."""
    first, *others = wanted
    return " or ".join([first, *(each.removeprefix(SHOULD) for each in others)])


def short(value: Any) -> str:
    """A value as JSON, in at most 60 characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _line(problem: Any, model: type[BaseModel], other_names: Mapping[str, str]) -> tuple[str, str]:
    """The field and what was found; and what is wanted."""
    parts = [str(part) for part in problem["loc"]]
    location = [part for part in parts if part not in FORMS and not KINDS.fullmatch(part)]
    field = ".".join(location) or model.__name__.lower()
    kind = problem["type"]
    if kind == "extra_forbidden":
        return f"{field}: no such field; ", _meant(location, model, other_names)
    if kind == "missing":
        return f"{field}: ", "is missing"
    return f"{field}: found {short(problem['input'])}; ", _wanted(problem)


def _meant(location: list[str], model: type[BaseModel], other_names: Mapping[str, str]) -> str:
    """Which field a name that is none may stand for: one that is called so elsewhere comes
    first."""
    name = location[-1]
    other = other_names.get(name)
    if other is not None and len(location) > 1 and "." not in other:
        other = None  # a field of the whole, which within a part is not meant
    known = list(_fields_called(name, model)) if other is None else [other]
    if known:
        return f"did you mean {' or '.join(map(repr, known))}?"
    return did_you_mean(name, _fields_beside(location, model))


def _fields_called(name: str, model: type[BaseModel], above: str = "") -> Iterator[str]:
    """The fields of that name in a model and those within it, from the root."""
    for own, field in model.model_fields.items():
        if own == name:
            yield f"{above}{own}"
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _fields_called(name, inner, f"{above}{own}.")


def _wanted(problem: Any) -> str:
    kind = WANTED.get(problem["type"])
    if kind is not None:
        choice = str(problem.get("ctx", {}).get("class_name", "")).endswith("Choice")
        return SHOULD + ("a name, or a mapping with a name" if choice else kind)
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
