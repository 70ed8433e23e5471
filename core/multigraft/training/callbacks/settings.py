"""Flatten a recipe for trackers, without what must stay secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

HIDDEN = "(hidden)"
_SECRET = re.compile(
    r"(^|[^a-z])(token|secret|password|passwd|passphrase|credentials?|key)($|[^a-z])", re.I
)
_USER = re.compile(r"(?<=://)[^/@\s]+@")
"""The name and password in an address."""


def shown(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with tokens, keys, passwords and the users of addresses hidden.

    >>> shown({"reader": {"hub_token": "abc", "max_tokens": 9}, "data": "s3://me:pw@bucket/rows.csv"})
    {'reader': {'hub_token': '(hidden)', 'max_tokens': 9}, 'data': 's3://(hidden)@bucket/rows.csv'}
    """
    return {
        name: HIDDEN if _SECRET.search(name) else _plain(value) for name, value in recipe.items()
    }


def flat(recipe: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting as a dotted name and a text.

    >>> dict(flat({"task": {"name": "t"}, "strategy": [{"name": "full"}], "seed": 0}))
    {'task.name': 't', 'strategy.0.name': 'full', 'seed': '0'}
    """
    for name, value in recipe.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            yield from flat(
                {str(place): item for place, item in enumerate(value)}, f"{prefix}{name}."
            )
        else:
            yield prefix + name, str(value)


def as_yaml(recipe: Mapping[str, Any]) -> str:
    """The recipe as a person would read it."""
    return yaml.safe_dump(dict(recipe), sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return shown(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _USER.sub(f"{HIDDEN}@", value) if isinstance(value, str) else value
