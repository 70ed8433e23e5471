"""Error responses: about a request as a whole, or about one of its items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

LONGEST = 500
"""Characters of an error's text: readers quote the value, and a value may be long."""


@dataclass(frozen=True)
class Fault:
    """One item that cannot be answered, while the others can."""

    error: str
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY

    def body(self, item: int) -> dict[str, Any]:
        """As JSON."""
        return {"error": shortened(self.error), "item": item}


class Refusal(Exception):
    """A request that is not answered at all."""

    def __init__(self, status: int, error: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """As JSON."""
        return {"error": shortened(self.error), "item": None}


def shortened(text: str) -> str:
    """The text, its middle left out where it is long.

    >>> shortened("a" * 300 + "b" * 300).count("a")
    250
    """
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"
