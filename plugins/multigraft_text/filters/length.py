"""Length of a text in characters and words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from multigraft import Dropped
from multigraft.contracts.options import check_limits
from multigraft_text.filters.texts import on_texts


def of_length(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Texts that are shorter or longer than asked are dropped."""
    low, high = options["low"], options["high"]
    check_limits("length", low, high)
    words = options["unit"] == "words"

    def judged(text: str) -> str | Dropped:
        length = len(text.split()) if words else len(text)
        if length < low:
            return Dropped(f"fewer than {low:,} {options['unit']}")
        if high is not None and length > high:
            return Dropped(f"more than {high:,} {options['unit']}")
        return text

    return on_texts(judged)
